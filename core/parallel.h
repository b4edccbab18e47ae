#pragma once
// The one thread pool of the library. Work is cut by its size, never by the number of threads, so a
// body that treats its ranges alike gives the same bits for any number of threads.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>

#include "export.h"

namespace reprise {

/// How many threads a parallel_for may use, the caller's included: 1 to 1024, Value error
/// otherwise. May be called at any time; the next parallel_for obeys.
REPRISE_API void set_num_threads(int n);

/// At first the cores this process may run on, capped by the environment's REPRISE_NUM_THREADS.
REPRISE_API int num_threads();

namespace detail {
using RangeBody = void (*)(void* context, int64_t begin, int64_t end);
REPRISE_API void run_ranges(int64_t n, int64_t grain, RangeBody body, void* context);
}  // namespace detail

/// Calls f(begin, end) for the ranges [0, grain), [grain, 2 grain), ... that make up [0, n): the
/// same ranges for any number of threads, in any order, at the same time. A grain below 1 counts
/// as 1. Returns when all is done and rethrows the exception of the first range, in order, that
/// threw; later ranges may then be left out. The caller's thread works too. Inside another
/// parallel_for, and while another thread has the pool, everything runs on the caller's thread, in
/// order.
template <class F>
inline void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain) return static_cast<void>(f(int64_t{0}, n));
  using Body = std::remove_reference_t<F>;
  const auto body = [](void* context, int64_t begin, int64_t end) {
    (*static_cast<Body*>(context))(begin, end);
  };
  detail::run_ranges(n, grain, body,
                     const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

inline constexpr size_t kThreadScratchBytes = size_t{1} << 20;

/// Scratch of the calling thread: kThreadScratchBytes, 64-byte aligned, made at first use and freed
/// with the thread. It holds nothing beyond the range that uses it, and only one user at a time.
REPRISE_API std::span<std::byte> thread_scratch();

}  // namespace reprise
