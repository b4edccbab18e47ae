#pragma once
// What the kernels of batch normalisation share: x seen as [N, C, S], and vectors of its channels.

#include <cmath>
#include <numeric>

#include "../../core/op.h"
#include "acc.cuh"
#include "launch.cuh"
#include "offsets.cuh"
#include "pack.cuh"

namespace reprise::cuda {

/// [N, C, S], of which S is 1 for x [N, C] and for what is channels-last.
inline Meta matrix_of(const Meta& x) {
  int64_t size = 1;
  for (size_t d = 2; d < x.shape.size(); ++d) size *= x.shape[d];
  if (!x.is_contiguous()) return Meta({x.shape[0] * size, x.shape[1], 1}, x.dtype);
  return Meta({x.shape[0], x.shape[1], size}, x.dtype);
}
inline Shape batch_dims() { return {0, 2}; }

/// A vector of one number per channel, of any stride: float for T of 16 bits, or T.
template <class T>
struct Channels {
  using A = Acc<T>;
  void* data;
  int64_t step;
  bool wide;

  explicit Channels(const View& v)
      : data(v.data),
        step(v.meta->strides.empty() ? 0 : v.meta->strides[0]),
        wide(size_of(v.meta->dtype) == sizeof(A)) {}
  __device__ A operator[](int64_t i) const {
    if (wide) return static_cast<const A*>(data)[i * step];
    return static_cast<A>(static_cast<const T*>(data)[i * step]);
  }
  __device__ void set(int64_t i, double x) const {
    if (wide)
      static_cast<A*>(data)[i * step] = static_cast<A>(x);
    else
      static_cast<T*>(data)[i * step] = static_cast<T>(static_cast<A>(x));
  }
};

/// What a channel does to its elements.
template <class T>
struct Normal {
  using A = Acc<T>;
  A mean, scale, bias;

  __device__ T operator()(T x) const {
    return static_cast<T>(std::fma(static_cast<A>(x) - mean, scale, bias));
  }
};

/// The channel of each element; W neighbours share it, or have neighbouring ones.
struct ChannelOf {
  Offsets<1> offsets;
  int64_t numel;
  bool shared;

  explicit ChannelOf(const Meta& matrix)
      : offsets(offsets_of<1>(matrix.shape, {{0, 1, 0}})),
        numel(matrix.numel()),
        shared(matrix.shape[2] > 1) {}

  /// f of the channels of N neighbours from element i on, unless `first` says they are found.
  template <class P, int N, class F>
  __device__ void find(P (&found)[N], int64_t& first, int64_t i, F f) const {
    const int64_t channel = offsets(i).of[0];
    if (channel == first) return;
    first = channel;
    found[0] = f(channel);
    unrolled<N>([&](int e) {
      if (e > 0) found[e] = shared ? found[0] : f(channel + e);
    });
  }
};

/// Blocks that walk n elements of a matrix, `width` at a time. Where channels are neighbours, a
/// thread takes several steps, of whole rows, so that it comes back to the channels it has found.
inline dim3 blocks_along(const Meta& matrix, int64_t n, int64_t width) {
  constexpr int64_t kTurns = 8, kBusyBlocks = 1024;
  if (matrix.shape[2] > 1) return blocks_for(n, width);
  const int64_t each = kThreads * width, all = (n + each - 1) / each;
  const int64_t rows = std::max<int64_t>(matrix.shape[1] / std::gcd(matrix.shape[1], each), 1);
  const int64_t wanted = std::clamp(all / kTurns, kBusyBlocks, kMostBlocks);
  return static_cast<unsigned>(std::min(all, (wanted + rows - 1) / rows * rows));
}

/// Packs must not reach across channels, unless channels are neighbours.
template <class T>
bool takes_packs(const Meta& matrix, bool aligned) {
  const int64_t beside = matrix.shape[2] > 1 ? matrix.shape[2] : matrix.shape[1];
  return aligned && beside % kPack<T> == 0;
}

}  // namespace reprise::cuda
