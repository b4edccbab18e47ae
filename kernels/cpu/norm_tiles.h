#pragma once
// Dense x, seen as [N, C, S], or as [N S, C, 1] when the channels lie last. Channels are cut into
// tiles: of one channel when S > 1, whose rows of S elements are one matrix, else of neighbours,
// whose columns are. All sums have one order and are kept in double.

#include <algorithm>

#include "../../core/op.h"
#include "../../core/parallel.h"
#include "simd/isa.h"
#include "simd/norm.h"
#include "simd/reduce.h"

namespace reprise::cpu {

inline constexpr int64_t kTaskSize = 1 << 14;  // elements worth a task
inline constexpr int64_t kTileChannels = 128;  // when channels are columns

template <class T>
struct Tiles {
  const NormKernels<T>& kernel =
      pick(isa(), sse2::norm_table, avx2::norm_table, avx512::norm_table);
  const ReduceKernels<T>& reduce =
      pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
  int64_t n, channels, size = 1;

  explicit Tiles(const Meta& x) : n(x.shape[0]), channels(x.shape[1]) {
    int64_t& beside = x.is_contiguous() ? size : n;
    for (size_t d = 2; d < x.shape.size(); ++d) beside *= x.shape[d];
  }

  bool columns() const { return size == 1; }
  double count() const { return static_cast<double>(n * size); }
  Rows rows(int64_t tile) const { return {n, channels * size, columns() ? tile : size}; }

  /// The kernel for this kind of tiles.
  template <class F>
  F choose(F channel, F channels) const {
    return columns() ? channels : channel;
  }

  /// Calls f(first channel, number of channels) for all tiles.
  template <class F>
  void for_each(F f) const {
    const int64_t tile = columns() ? kTileChannels : 1;
    const int64_t grain = kTaskSize / std::max<int64_t>(n * size * tile, 1);
    parallel_for((channels + tile - 1) / tile, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(i * tile, std::min(tile, channels - i * tile));
    });
  }

  void add(const T* x, int64_t tile, double* sums) const {
    if (columns()) return reduce.add_rows(sums, x, n, channels, tile);
    for (int64_t i = 0; i < n; ++i) *sums += reduce.sum(x + i * channels * size, size, 1);
  }
};

/// Element i of a vector that may have any stride.
template <class T>
T& at(const View& v, int64_t i) {
  return v.as<T>()[i * (v.meta->strides.empty() ? 0 : v.meta->strides[0])];
}

}  // namespace reprise::cpu
