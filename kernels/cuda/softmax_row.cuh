#pragma once
// Rows that a group of threads reads once and keeps.

#include <bit>

#include "softmax.cuh"

namespace reprise::cuda {

/// The elements of a row that fall to one thread: packs that are `threads` apart. Where rows are
/// not of whole packs, what counts as a pack are elements `apart`, so that neighbours read
/// neighbours. Dense: packs lie aligned. (A kernel for both would store element by element.)
template <class T, bool Dense>
struct RowOfThread {
  using A = Acc<T>;
  static constexpr int kWidth = kPack<T>;
  int begin, end, step, apart;

  __device__ RowOfThread(int rank, int n, int threads)
      : begin(rank * kWidth), end(n), step(threads * kWidth), apart(1) {
    if (Dense || n % kWidth == 0) return;
    begin = rank;
    apart = threads;
  }

  /// Pack u; `none` where the row has no element.
  __device__ void load(A (&v)[kWidth], const T* row, int u, A none) const {
    const int i = begin + u * step;
    unrolled<kWidth>([&](int e) { v[e] = none; });
    if constexpr (Dense) {
      if (i >= end) return;
      T pack[kWidth];
      load_pack(pack, row + i);
      unrolled<kWidth>([&](int e) { v[e] = static_cast<A>(pack[e]); });
    } else {
      unrolled<kWidth>([&](int e) {
        if (i + e * apart < end) v[e] = static_cast<A>(row[i + e * apart]);
      });
    }
  }
  /// f of the values of pack u.
  template <class F>
  __device__ void store(T* row, int u, const A (&v)[kWidth], const F& f) const {
    const int i = begin + u * step;
    T pack[kWidth];
    unrolled<kWidth>([&](int e) { pack[e] = static_cast<T>(f(v[e])); });
    if constexpr (Dense) {
      if (i < end) store_pack(row + i, pack);
    } else {
      unrolled<kWidth>([&](int e) {
        if (i + e * apart < end) row[i + e * apart] = pack[e];
      });
    }
  }
};

/// Threads that keep a row together, `kept` elements each; 0 when it takes more than `most`.
inline int threads_of_row(int64_t n, int64_t kept, unsigned most) {
  const int64_t needed = (n + kept - 1) / kept;
  if (needed > most) return 0;
  if (needed > kWarp) return static_cast<int>((needed + kWarp - 1) / kWarp * kWarp);
  return static_cast<int>(std::bit_ceil(static_cast<uint64_t>(needed)));
}

}  // namespace reprise::cuda
