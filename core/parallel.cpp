// A pool of workers that share one job at a time. The word `state_` says whether a job is open and
// how many workers are in it: workers join an open job, claim runs of ranges until none is left,
// close it and leave; the caller does the same and waits until all have left. So nobody waits for
// a worker that woke too late.

#include "parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "doorbell.h"
#include "error.h"

namespace reprise {
namespace {

struct Job {
  int64_t n = 0, grain = 0;
  detail::RangeBody body = nullptr;
  void* context = nullptr;
  int threads = 1;
  int core = -1;  // where the caller runs

  int64_t ranges() const { return (n - 1) / grain + 1; }
  void call(int64_t range) const {
    const int64_t begin = range * grain;
    body(context, begin, n - begin > grain ? begin + grain : n);
  }
};

/// The cores a worker may use, less the caller's: one woken there waits milliseconds for its turn
/// while others are idle or easier to get.
class CoreChoice {
 public:
  void avoid(int core) {
    if (core < 0 || core == avoided_) return;
    avoided_ = core;
    cpu_set_t others = allowed_;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) > 0) sched_setaffinity(0, sizeof others, &others);
  }

 private:
  static cpu_set_t inherited() {
    cpu_set_t cores;
    if (sched_getaffinity(0, sizeof cores, &cores) != 0) CPU_ZERO(&cores);
    return cores;
  }

  cpu_set_t allowed_ = inherited();
  int avoided_ = -1;
};

thread_local bool inside = false;  // this thread works in a job or is a worker

class Pool {
 public:
  /// False, with nothing done, when another thread has the pool.
  bool run(const Job& job);
  /// Ends the workers unless a job is running, and stays taken: later work runs on its callers.
  void close();

 private:
  static constexpr uint32_t kOpen = 1U << 31, kQuit = 1U << 30;

  void resize(size_t workers);
  void end_workers();
  void work();
  bool join();
  void drain();
  int64_t claim(int64_t& first);
  void fail_at(int64_t range);

  alignas(64) std::atomic<bool> busy_ = false;
  Job job_;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  size_t wanted_ = 0;
  std::vector<std::thread> workers_;
  alignas(64) std::atomic<uint32_t> state_ = 0;  // kOpen, kQuit, number of workers in the job
  alignas(64) std::atomic<int64_t> next_ = 0;    // the first range nobody has claimed
  std::atomic<int64_t> end_ = 0;                 // ranges from here on are not run
  Doorbell work_bell_, done_bell_;
};

bool Pool::run(const Job& job) {
  if (busy_.exchange(true)) return false;
  resize(static_cast<size_t>(job.threads) - 1);
  job_ = job;
  job_.core = sched_getcpu();
  next_ = 0;
  end_ = job.ranges();
  state_ = kOpen;
  work_bell_.ring(job.ranges() - 1);
  inside = true;
  drain();
  inside = false;
  state_ &= ~kOpen;
  const auto done = [this] { return state_ == 0; };
  if (!Doorbell::spin(done)) done_bell_.sleep(done);
  const std::exception_ptr error = std::exchange(error_, nullptr);
  busy_ = false;
  if (error) std::rethrow_exception(error);
  return true;
}

void Pool::close() {
  if (!busy_.exchange(true)) end_workers();
}

void Pool::resize(size_t workers) {
  if (workers == wanted_) return;
  end_workers();
  wanted_ = workers;
  try {
    workers_.reserve(workers);
    while (workers_.size() < workers) workers_.emplace_back(&Pool::work, this);
  } catch (const std::exception&) {  // no room for more threads: fewer do the same work
  }
}

void Pool::end_workers() {
  state_ = kQuit;
  work_bell_.ring(std::numeric_limits<int64_t>::max());
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  state_ = 0;
}

void Pool::work() {
  inside = true;
  CoreChoice cores;
  int callers_core = -1;
  const auto called = [this] { return (state_ & (kOpen | kQuit)) != 0; };
  for (;;) {
    if (!Doorbell::spin(called)) {
      cores.avoid(callers_core);
      work_bell_.sleep(called);
    }
    if (state_ & kQuit) return;
    if (!join()) continue;
    callers_core = job_.core;
    drain();
    state_ &= ~kOpen;
    if (--state_ == 0) done_bell_.ring(1);
  }
}

bool Pool::join() {
  uint32_t state = state_;
  while (state & kOpen) {
    if (state_.compare_exchange_weak(state, state + 1)) return true;
  }
  return false;
}

void Pool::drain() {
  int64_t range = 0;
  while (const int64_t count = claim(range)) {
    const int64_t last = range + count;
    try {
      while (range < last && range < end_.load(std::memory_order_relaxed)) job_.call(range++);
    } catch (...) {
      fail_at(range - 1);
    }
  }
}

/// Takes many ranges while many are left, single ones near the end; 0 when all are taken.
int64_t Pool::claim(int64_t& first) {
  int64_t count;
  first = next_.load(std::memory_order_relaxed);
  do {
    const int64_t left = end_.load(std::memory_order_relaxed) - first;
    if (left <= 0) return 0;
    count = std::max<int64_t>(1, left / (8 * job_.threads));
  } while (!next_.compare_exchange_weak(first, first + count, std::memory_order_relaxed));
  return count;
}

/// Ranges before a failed one still run, so that the first failure in order is the one that counts.
void Pool::fail_at(int64_t range) {
  std::lock_guard lock(error_mutex_);
  if (range >= end_) return;
  end_ = range;
  error_ = std::current_exception();
}

std::atomic<Pool*> shared_pool = nullptr;  // never deleted: exit may find it at work

Pool* pool() {
  Pool* current = shared_pool;
  if (current) return current;
  Pool* fresh = new (std::nothrow) Pool;
  if (!fresh || shared_pool.compare_exchange_strong(current, fresh)) return fresh;
  delete fresh;
  return current;
}

struct Lifetime {
  // The threads of its parent do not exist in a forked child: it makes a pool of its own.
  Lifetime() {
    pthread_atfork(nullptr, nullptr, [] { shared_pool = nullptr; });
  }
  // Joins at exit. Destructors that run later find a pool too, and find it taken.
  ~Lifetime() {
    if (Pool* current = pool()) current->close();
  }
} lifetime;

constinit thread_local std::byte* scratch = nullptr;

struct ScratchOwner {
  ~ScratchOwner() { std::free(std::exchange(scratch, nullptr)); }
};

void make_scratch() {
  thread_local ScratchOwner owner;
  scratch = static_cast<std::byte*>(std::aligned_alloc(64, kThreadScratchBytes));
  check(scratch != nullptr, ErrorKind::OutOfMemory, "no memory for the scratch of a thread, ",
        kThreadScratchBytes, " bytes");
}

}  // namespace

void detail::run_ranges(int64_t n, int64_t grain, RangeBody body, void* context) {
  const Job job{.n = n,
                .grain = std::max<int64_t>(grain, 1),
                .body = body,
                .context = context,
                .threads = num_threads()};
  if (!inside && job.threads > 1) {
    Pool* const shared = pool();
    if (shared && shared->run(job)) return;
  }
  for (int64_t range = 0; range < job.ranges(); ++range) job.call(range);
}

std::span<std::byte> thread_scratch() {
  if (!scratch) make_scratch();
  return {scratch, kThreadScratchBytes};
}

}  // namespace reprise
