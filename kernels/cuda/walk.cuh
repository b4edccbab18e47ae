#pragma once
// How a kernel walks over operands of one shape: a layout (layout.h), by value. NVRTC, which has no
// standard library, compiles the file too.

#include "offsets.cuh"
#include "pack.cuh"

namespace reprise::cuda {

/// A layout as kernels take it, by value, in packs of `width` elements.
template <int N>
struct Walk {
  template <class Layout>
  Walk(const Layout& layout, int width)
      : packs(static_cast<uint32_t>(layout.numel() / width)),
        rest(static_cast<uint32_t>(layout.numel() % width)) {
    offsets.dims = layout.dims;
    for (int d = 0; d < layout.dims; ++d) {
      const int64_t in_pack = d == 0 ? width : 1;
      offsets.sizes[d] = Divider<uint32_t>(static_cast<uint32_t>(layout.sizes[d] / in_pack));
      for (int k = 0; k < N; ++k) offsets.strides[d][k] = layout.steps[d][k] * in_pack;
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
    offsets.add_to(places, left);
    return places;
  }

  /// Where pack i begins in operand k.
  __device__ int64_t find_in(int k, uint32_t i) const {
    return first[k] + offsets.in_operand(k, i);
  }

  /// Element i behind the last whole pack of a layout of one dimension.
  __device__ Places<N, 1> find_rest(uint32_t i) const {
    Places<N, 1> places;
    for (int k = 0; k < N; ++k) {
      const uint32_t moved = (repeated >> k & 1) != 0 ? 0 : i;
      places.at[k][0] = first[k] + packs * offsets.strides[0][k] + moved;
    }
    return places;
  }

  uint32_t packs, rest;
  unsigned repeated = 0;  // bit k: operand k has one element for a whole row
  Offsets<N, uint32_t> offsets;
  int64_t first[N];
};

/// V elements side by side, or one that stands for all.
template <int V, class T>
__device__ Pack<T, V> read(const T* from, int64_t at, bool repeated) {
  Pack<T, V> x;
  if (V > 1 && repeated) {
    for (int i = 0; i < V; ++i) x.v[i] = from[at];
  } else {
    load_pack(x.v, from + at);
  }
  return x;
}

}  // namespace reprise::cuda
