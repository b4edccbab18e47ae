#pragma once
// Where elements lie that are counted one after the other, in operands of any strides. NVRTC, which
// has no standard library, compiles the file too.

#include "divider.cuh"

#if !defined(__CUDACC_RTC__)
#include "layout.h"
#endif

namespace reprise::cuda {

/// Where P elements lie in each of K operands.
template <int K, int P>
struct Places {
  int64_t at[K][P];
};

/// Counts below 2^63, or below 2^31 for uint32_t.
template <int K, class Count = uint64_t>
struct Offsets {
  struct Place {
    int64_t of[K];
  };

  int dims = 0;  // innermost first
  Divider<Count> sizes[kMostLayoutDims];
  int64_t strides[kMostLayoutDims][K] = {};

  /// Adds an outermost dimension, unless it is of size 1.
  void push(int64_t size, const int64_t (&steps)[K]) {
    if (size == 1) return;
    for (int k = 0; k < K; ++k) strides[dims][k] = steps[k];
    ++dims;
    resize_last(size);
  }
  void resize_last(int64_t size) {  // the outermost one; what is empty is never walked
    sizes[dims - 1] = Divider<Count>(static_cast<Count>(size == 0 ? 1 : size));
  }
  int64_t size(int d) const { return static_cast<int64_t>(sizes[d].divisor); }

  __device__ Place operator()(int64_t i) const {
    Places<K, 1> places{};
    Count left[] = {static_cast<Count>(i)};
    add_to(places, left);
    Place place;
    for (int k = 0; k < K; ++k) place.of[k] = places.at[k][0];
    return place;
  }

  /// Adds what leads to elements `left`, which become what is left of them behind the dimensions.
  template <int P>
  __device__ void add_to(Places<K, P>& places, Count (&left)[P]) const {
    int d = 0;
#if defined(__CUDACC__)
#pragma unroll 1  // more of it would seldom run
#endif
    for (; d < dims - 1; ++d) {
      for (int i = 0; i < P; ++i) {
        const Count quotient = sizes[d].quotient(left[i]);
        add_steps(places, i, d, left[i] - quotient * sizes[d].divisor);
        left[i] = quotient;
      }
    }
    for (int i = 0; i < P; ++i) add_steps(places, i, d, left[i]);
  }

  /// Where element i lies in operand k alone.
  __device__ int64_t in_operand(int k, Count i) const {
    int64_t at = 0;
    int d = 0;
    for (; d < dims - 1; ++d) {
      const Count quotient = sizes[d].quotient(i);
      at += static_cast<int64_t>(i - quotient * sizes[d].divisor) * strides[d][k];
      i = quotient;
    }
    return at + static_cast<int64_t>(i) * strides[d][k];
  }

 private:
  template <int P>
  __device__ void add_steps(Places<K, P>& places, int i, int d, Count index) const {
    for (int k = 0; k < K; ++k) places.at[k][i] += static_cast<int64_t>(index) * strides[d][k];
  }
};

#if !defined(__CUDACC_RTC__)
/// Elements in row-major order. Neighbours that all operands pass through at one step become one.
template <int K>
Offsets<K> offsets_of(const Shape& shape, const Strides (&strides)[K]) {
  Offsets<K> out;
  for (size_t d = shape.size(); d-- > 0;) {
    int64_t steps[K];
    for (int k = 0; k < K; ++k) steps[k] = strides[k][d];
    const int last = out.dims - 1;
    bool one = last >= 0 && shape[d] > 1;
    for (int k = 0; one && k < K; ++k) one = steps[k] == out.strides[last][k] * out.size(last);
    if (one)
      out.resize_last(shape[d] * out.size(last));
    else
      out.push(shape[d], steps);
  }
  return out;
}
#endif

}  // namespace reprise::cuda
