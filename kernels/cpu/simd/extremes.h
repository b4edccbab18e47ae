#pragma once
// Largest and smallest values at the price of one instruction, for code that meets NaN elsewhere.

#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

/// a > b ? a : b, so b where either is NaN. (The compiler would compare and blend, which takes
/// thrice as long; the plain AVX-512 intrinsics make g++ 12 warn of their own undefined operand.)
template <class V>
REPRISE_INLINE V larger(const V& a, const V& b) {
#if defined(__AVX512F__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm512_maskz_max_pd(0xff, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm256_max_ps((__m256)a, (__m256)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm256_max_pd((__m256d)a, (__m256d)b);
#else
  if constexpr (kSame<V, Vec<float>>) return (V)_mm_max_ps((__m128)a, (__m128)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm_max_pd((__m128d)a, (__m128d)b);
#endif
  return select<V>(a > b, a, b);
}

/// a < b ? a : b, so b where either is NaN.
template <class V>
REPRISE_INLINE V smaller(const V& a, const V& b) {
#if defined(__AVX512F__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm512_maskz_min_pd(0xff, (__m512d)a, (__m512d)b);
#elif defined(__AVX2__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm256_min_ps((__m256)a, (__m256)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm256_min_pd((__m256d)a, (__m256d)b);
#else
  if constexpr (kSame<V, Vec<float>>) return (V)_mm_min_ps((__m128)a, (__m128)b);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm_min_pd((__m128d)a, (__m128d)b);
#endif
  return select<V>(a < b, a, b);
}

/// Whether a lane of a mask is set.
template <class M>
REPRISE_INLINE bool any(const M& mask) {
  static_assert(sizeof(M) == kVectorBytes);
#if defined(__AVX512F__)
  return _mm512_test_epi64_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX2__)
  return _mm256_movemask_epi8((__m256i)mask) != 0;
#else
  return _mm_movemask_epi8((__m128i)mask) != 0;
#endif
}

/// The larger (smaller) of each lane.
template <bool Largest, class V>
REPRISE_INLINE V better(const V& a, const V& b) {
  if constexpr (sizeof(V) < kVectorBytes) {
    return select(Largest ? a > b : a < b, a, b);
  } else {
    return Largest ? larger(a, b) : smaller(a, b);
  }
}

/// The largest (smallest) lane; any of them when some are NaN.
template <bool Largest, class V>
REPRISE_INLINE Element<V> best_lane(const V& v) {
  if constexpr (kLanes<V> == 1) {
    return v[0];
  } else {
    Vec<Element<V>, kLanes<V> / 2> half[2];
    __builtin_memcpy(half, &v, sizeof(v));
    return best_lane<Largest>(better<Largest>(half[0], half[1]));
  }
}

}  // namespace reprise::cpu::REPRISE_ISA
