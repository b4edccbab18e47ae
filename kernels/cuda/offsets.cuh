#pragma once
// Where elements lie that are counted in row-major order, in K operands of any strides. Counts may
// need 63 bits; quotients take one multiplication (Granlund and Montgomery, 1994).

#include <cuda_runtime.h>

#include <bit>
#include <cstdint>

#include "../../core/shape.h"

namespace reprise::cuda {

/// Divides numbers in [0, 2^63) by one that is at least 2.
class LongDivisor {
 public:
  LongDivisor() = default;
  explicit LongDivisor(int64_t divisor)
      : shift_(std::bit_width(static_cast<uint64_t>(divisor) - 1)),
        factor_(static_cast<uint64_t>((Wide{1} << (63 + shift_)) / static_cast<Wide>(divisor)) +
                1) {}
  __device__ int64_t quotient(int64_t n) const {
    return static_cast<int64_t>(high_product(static_cast<uint64_t>(n), factor_) >> (shift_ - 1));
  }

 private:
  __extension__ typedef unsigned __int128 Wide;
  __device__ static uint64_t high_product(uint64_t a, uint64_t b) {
#if defined(__CUDA_ARCH__)
    return __umul64hi(a, b);
#else
    return static_cast<uint64_t>(Wide{a} * b >> 64);
#endif
  }

  int shift_ = 1;
  uint64_t factor_ = 0;
};

template <int K>
struct Offsets {
  struct Place {
    int64_t of[K];
  };

  int dims = 0;  // innermost first, of sizes other than 1
  int64_t sizes[kMaxDims] = {};
  LongDivisor divisors[kMaxDims];
  int64_t strides[kMaxDims][K] = {};

  /// Adds an outermost dimension.
  void push(int64_t size, const int64_t (&steps)[K]) {
    if (size == 1) return;
    for (int k = 0; k < K; ++k) strides[dims][k] = steps[k];
    ++dims;
    resize_last(size);
  }

  void resize_last(int64_t size) {  // the outermost one
    sizes[dims - 1] = size;
    if (size > 1) divisors[dims - 1] = LongDivisor(size);
  }

  __device__ Place operator()(int64_t i) const {
    Place place{};
    for (int d = 0; d < dims; ++d) {
      const int64_t rest = d + 1 < dims ? divisors[d].quotient(i) : 0;
      for (int k = 0; k < K; ++k) place.of[k] += (i - rest * sizes[d]) * strides[d][k];
      i = rest;
    }
    return place;
  }
};

/// The strides of K operands; neighbours that all of them pass through at one step become one.
template <int K>
Offsets<K> offsets_of(const Shape& shape, const Strides (&strides)[K]) {
  Offsets<K> out;
  for (size_t d = shape.size(); d-- > 0;) {
    int64_t steps[K];
    for (int k = 0; k < K; ++k) steps[k] = strides[k][d];
    const int last = out.dims - 1;
    bool one = last >= 0 && shape[d] > 1;
    for (int k = 0; one && k < K; ++k) one = steps[k] == out.strides[last][k] * out.sizes[last];
    if (one)
      out.resize_last(shape[d] * out.sizes[last]);
    else
      out.push(shape[d], steps);
  }
  return out;
}

}  // namespace reprise::cuda
