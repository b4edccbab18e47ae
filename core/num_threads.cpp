#include <sched.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <thread>

#include "error.h"
#include "parallel.h"

namespace reprise {
namespace {

constexpr int kMaxThreads = 1024;

/// Cores that the affinity mask of the process allows.
int allowed_cores() {
  cpu_set_t cores;
  if (sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// Cores worth of time that a container may use (cgroup v2), rounded up.
int quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  double quota = 0, period = 0;
  if (!(file >> quota >> period) || period <= 0) return kMaxThreads;  // the quota reads "max"
  return static_cast<int>(std::clamp(std::ceil(quota / period), 1.0, double{kMaxThreads}));
}

/// The environment's cap; what is no positive number caps nothing.
int capped_cores() {
  const char* value = std::getenv("REPRISE_NUM_THREADS");
  const std::string_view text = value ? value : "";
  int cap = 0;
  std::from_chars(text.data(), text.data() + text.size(), cap);
  return cap > 0 ? cap : kMaxThreads;
}

int default_threads() {
  return std::clamp(std::min({allowed_cores(), quota_cores(), capped_cores()}), 1, kMaxThreads);
}

std::atomic<int> threads = 0;  // 0: nobody has asked yet

}  // namespace

void set_num_threads(int n) {
  check(n >= 1 && n <= kMaxThreads, ErrorKind::Value, "set_num_threads: expected 1 to ",
        kMaxThreads, " threads, got ", n);
  threads = n;
}

int num_threads() {
  int n = threads.load(std::memory_order_relaxed);
  if (n > 0) return n;
  const int found = default_threads();
  return threads.compare_exchange_strong(n, found) ? found : n;
}

}  // namespace reprise
