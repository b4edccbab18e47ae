#pragma once
// A lock for sections of a few instructions: two memory operations when nobody else is there.

#include <sched.h>

#include <atomic>

namespace reprise {

/// Tells the core that this is a spinning loop.
inline void pause_core() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("isb");
#endif
}

/// Works with std::lock_guard. Never calls what may block or throw while it is held.
class SpinLock {
 public:
  void lock() noexcept {
    while (held_.exchange(true, std::memory_order_acquire)) wait();
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }

 private:
  void wait() const noexcept {
    for (int i = 0; held_.load(std::memory_order_relaxed); ++i) {
      i < 100 ? pause_core() : static_cast<void>(sched_yield());  // the holder may be preempted
    }
  }

  std::atomic<bool> held_ = false;
};

}  // namespace reprise
