#pragma once
// Waiting for another thread: spins for a bounded moment, since waking a blocked thread costs some
// 20 us and handing work to a spinning one 0.1 us, then blocks, since an idle program must rest.

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include "spin_lock.h"

namespace reprise {

/// Waits for a condition on sequentially consistent atomics; others make it true, then they ring.
class Doorbell {
 public:
  /// Waits for a bounded moment without leaving the core; whether `ready()` came true.
  template <class Ready>
  static bool spin(Ready ready) {
    if (ready()) return true;
    const auto end = std::chrono::steady_clock::now() + kSpinTime;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) return true;
        pause_core();
      }
    } while (std::chrono::steady_clock::now() < end);
    return false;
  }

  /// Blocks until `ready()` is true.
  template <class Ready>
  void sleep(Ready ready) {
    std::unique_lock lock(mutex_);
    ++sleepers_;  // before `ready` looks again, as `ring` looks here after it changed something
    bell_.wait(lock, ready);
    --sleepers_;
  }

  /// Wakes at least `count` of the threads that are blocked, all if there are fewer.
  void ring(int64_t count) {
    if (sleepers_ == 0) return;
    { std::lock_guard lock(mutex_); }  // whoever has looked is asleep by now
    if (count >= sleepers_) return bell_.notify_all();
    for (; count > 0; --count) bell_.notify_one();
  }

 private:
  static constexpr auto kSpinTime = std::chrono::microseconds(50);

  alignas(64) std::atomic<int> sleepers_ = 0;
  std::mutex mutex_;
  std::condition_variable bell_;
};

}  // namespace reprise
