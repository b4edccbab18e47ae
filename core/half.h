#pragma once
// Half (IEEE binary16: 5 bits of exponent, 10 of fraction) and BFloat16 (the upper half of a
// float32). They store; arithmetic happens in float, to which both convert by themselves. Towards
// them one asks, and is rounded once to the nearest, ties to even. NaN stays NaN.

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "export.h"

namespace reprise {
namespace detail {

/// A float that rounds to 16 bits as `x` itself would: what is cut off is remembered in its last
/// bit (rounding to odd), so that a value beside a tie does not become one.
REPRISE_HD constexpr float float_for_rounding(double x) {
  const auto nearest = static_cast<float>(x);
  const auto back = static_cast<double>(nearest);
  if (back == x || back - back != 0) return nearest;  // exact, infinite or NaN
  auto bits = std::bit_cast<uint32_t>(nearest);
  if ((back < 0 ? -back : back) > (x < 0 ? -x : x)) --bits;  // towards zero
  return std::bit_cast<float>(bits | 1);
}

REPRISE_HD constexpr float half_to_float(uint16_t half) {
#if defined(__CUDA_ARCH__)
  float x;
  asm("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(half));
  return x;
#else
  const uint32_t magnitude = (half & 0x7fffU) << 13;
  // The exponent counts from 15 instead of 127; the product is exact, also of subnormals.
  uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) * 0x1p112F);
  if (magnitude >= 0x0f800000U) bits = magnitude | 0x7f800000U;
  if (magnitude > 0x0f800000U) bits |= 0x00400000U;  // a NaN is quiet, as of the hardware
  return std::bit_cast<float>(bits | (half & 0x8000U) << 16);
#endif
}

REPRISE_HD constexpr uint16_t float_to_half(float x) {
#if defined(__CUDA_ARCH__)
  uint16_t half;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(x));
  return half;
#else
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7fffffffU;
  // Normal: another bias, and what is cut off rounds up, with the last bit kept when it is a tie.
  const uint32_t normal = magnitude - (112U << 23) + 0xfffU + (magnitude >> 13 & 1U);
  // Subnormal: beside 0.5 the last bit of a float counts 2^-24, as that of a subnormal half does.
  const float beside = std::bit_cast<float>(magnitude) + 0.5F;
  uint32_t half = normal >> 13;
  if (magnitude < 0x38800000U) half = std::bit_cast<uint32_t>(beside) - 0x3f000000U;
  if (magnitude >= 0x477ff000U) half = 0x7c00U;
  if (magnitude > 0x7f800000U) half = 0x7e00U | (magnitude >> 13 & 0x3ffU);
  return static_cast<uint16_t>(sign | half);
#endif
}

REPRISE_HD constexpr uint16_t float_to_bfloat16(float x) {
#if defined(__CUDA_ARCH__)
  uint16_t bfloat16;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bfloat16) : "f"(x));
  return bfloat16;
#else
  const auto bits = std::bit_cast<uint32_t>(x);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<uint16_t>(bits >> 16 | 0x40U);
  return static_cast<uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
#endif
}

}  // namespace detail

struct Half {
  uint16_t bits;

  Half() = default;
  REPRISE_HD constexpr explicit Half(float x) : bits(detail::float_to_half(x)) {}
  REPRISE_HD constexpr explicit Half(double x) : Half(detail::float_for_rounding(x)) {}
  template <std::integral T>
  REPRISE_HD constexpr explicit Half(T x) : Half(static_cast<double>(x)) {}

  REPRISE_HD constexpr operator float() const { return detail::half_to_float(bits); }
};

struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  REPRISE_HD constexpr explicit BFloat16(float x) : bits(detail::float_to_bfloat16(x)) {}
  REPRISE_HD constexpr explicit BFloat16(double x) : BFloat16(detail::float_for_rounding(x)) {}
  template <std::integral T>
  REPRISE_HD constexpr explicit BFloat16(T x) : BFloat16(static_cast<double>(x)) {}

  REPRISE_HD constexpr operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

template <class T>
inline constexpr bool is_half_type = std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

}  // namespace reprise
