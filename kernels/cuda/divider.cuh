#pragma once
// Division by a number that a kernel is told: a multiplication and a shift (Granlund and
// Montgomery, 1994). NVRTC, which has no standard library, compiles the file too.

#if !defined(__CUDACC_RTC__)
#include <cuda_runtime.h>

#include <cstdint>
#endif

namespace reprise::cuda {

template <class Count>
struct DoubleWidth;
template <>
struct DoubleWidth<uint32_t> {
  using type = uint64_t;
};
#if !defined(__CUDACC_RTC__)
template <>
struct DoubleWidth<uint64_t> {
  __extension__ typedef unsigned __int128 type;
};
#endif

/// Quotients of numbers below 2^31, or 2^63 for uint64_t.
template <class Count>
struct Divider {
  using Wide = typename DoubleWidth<Count>::type;
  static constexpr int kBits = 8 * sizeof(Count);

  Count divisor = 1, factor = (Count{1} << (kBits - 1)) + 1;
  int shift = 0;

  Divider() = default;
  /// `d`: from 1 to 2^31, or 2^63.
  explicit Divider(Count d) : divisor(d) {
    while (Count{1} << shift < d) ++shift;
    factor = static_cast<Count>((Wide{1} << (kBits - 1 + shift)) / d + 1);
  }
  __device__ Count quotient(Count n) const {
    return static_cast<Count>(Wide{2 * n} * factor >> kBits) >> shift;
  }
};

}  // namespace reprise::cuda
