#pragma once
// How a kernel walks over operands of one shape: a layout (layout.h), by value. NVRTC, which has no
// standard library, compiles the file too.

#if !defined(__CUDACC_RTC__)
#include <cuda_runtime.h>

#include "layout.h"
#endif

namespace reprise::cuda {

/// V elements side by side.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

/// Quotients below 2^31 by one multiplication (Granlund and Montgomery, 1994).
struct Divider {
  uint32_t divisor, factor, shift;

  Divider() = default;
  explicit Divider(uint32_t d) : divisor(d), shift(0) {
    while ((uint64_t{1} << shift) < d) ++shift;
    const uint64_t excess = (uint64_t{1} << shift) - d;
    factor = static_cast<uint32_t>((excess << 32) / d + 1);
  }
  __device__ uint32_t quotient(uint32_t n) const {
    return (static_cast<uint32_t>(uint64_t{n} * factor >> 32) + n) >> shift;
  }
};

/// Where packs of a thread begin in each operand, in elements.
template <int N, int Packs>
struct Places {
  int64_t at[N][Packs];
};

/// A layout as kernels take it, by value, in packs of `width` elements.
template <int N>
struct Walk {
  template <class Layout>
  Walk(const Layout& layout, int width)
      : packs(static_cast<uint32_t>(layout.numel() / width)),
        rest(static_cast<uint32_t>(layout.numel() % width)),
        dims(layout.dims) {
    for (int d = 0; d < dims; ++d) {
      const int64_t in_pack = d == 0 ? width : 1;
      counts[d] = Divider(static_cast<uint32_t>(layout.sizes[d] / in_pack));
      for (int k = 0; k < N; ++k) steps[d][k] = layout.steps[d][k] * in_pack;
    }
    for (int k = 0; k < N; ++k) {
      first[k] = layout.first[k];
      repeated |= unsigned{layout.steps[0][k] == 0} << k;
    }
  }

  /// The packs begin, begin + blockDim.x, ...; behind the end the last one.
  template <int Packs>
  __device__ Places<N, Packs> find(uint32_t begin) const {
    Places<N, Packs> places;
    uint32_t left[Packs];
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
      left[i] = begin + i * blockDim.x < packs ? begin + i * blockDim.x : packs - 1;
      for (int k = 0; k < N; ++k) places.at[k][i] = first[k];
    }
#pragma unroll 1
    for (int d = 0; d < dims - 1; ++d) {
#pragma unroll
      for (int i = 0; i < Packs; ++i) {
        const uint32_t quotient = counts[d].quotient(left[i]);
        const uint32_t index = left[i] - quotient * counts[d].divisor;
        for (int k = 0; k < N; ++k) places.at[k][i] += index * steps[d][k];
        left[i] = quotient;
      }
    }
#pragma unroll
    for (int i = 0; i < Packs; ++i) {
      for (int k = 0; k < N; ++k) places.at[k][i] += left[i] * steps[dims - 1][k];
    }
    return places;
  }

  /// Element i behind the last whole pack of a layout of one dimension.
  __device__ Places<N, 1> find_rest(uint32_t i) const {
    Places<N, 1> places;
    for (int k = 0; k < N; ++k) {
      const uint32_t moved = (repeated >> k & 1) != 0 ? 0 : i;
      places.at[k][0] = first[k] + packs * steps[0][k] + moved;
    }
    return places;
  }

  uint32_t packs, rest;
  int dims;
  unsigned repeated = 0;  // bit k: operand k has one element for a whole row
  Divider counts[kMostLayoutDims];
  int64_t steps[kMostLayoutDims][N];
  int64_t first[N];
};

template <int V, class T>
__device__ Pack<T, V> read(const T* from, int64_t at, bool repeated) {
  Pack<T, V> x;
  if (V > 1 && repeated) {
    for (int i = 0; i < V; ++i) x.v[i] = from[at];
  } else {
    x = *static_cast<const Pack<T, V>*>(__builtin_assume_aligned(from + at, sizeof(x)));
  }
  return x;
}
}  // namespace reprise::cuda
