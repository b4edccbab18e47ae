#pragma once
// Vectors for kernels that are compiled once per instruction set (see isa.h). `Vec<T, N>` is a
// GCC/clang vector extension, so + - * / & | ^ ~ << >> and comparisons work lane by lane; a
// comparison gives an integer vector of 0 and -1. Everything lives in the namespace of the
// instruction set and nothing of std is used: inline code compiled for AVX-512 must never be linked
// in place of the baseline's.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#if !defined(REPRISE_ISA)
#error "vec.h belongs into .simd.cpp files, which are compiled with -DREPRISE_ISA=..."
#endif
#define REPRISE_INLINE [[gnu::always_inline]] inline

namespace reprise::cpu::REPRISE_ISA {

#if defined(__AVX512F__)
inline constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVectorBytes = 32;
#else
inline constexpr int kVectorBytes = 16;
#endif

/// Lanes of one register.
template <class T>
inline constexpr int kWidth = kVectorBytes / static_cast<int>(sizeof(T));

template <class T, int N>
struct VecOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N = kWidth<T>>
using Vec = typename VecOf<T, N>::type;

template <class T, class U>
inline constexpr bool kSame = false;
template <class T>
inline constexpr bool kSame<T, T> = true;

// What is known of a vector type V: its element and, of the same width, signed integers.
template <class T>
struct Bare {
  using type = T;
};
template <class T>
struct Bare<T&> {
  using type = T;
};
template <class T>
struct Bare<T&&> {
  using type = T;
};
template <class V>
using Element = typename Bare<decltype(V{}[0])>::type;
template <class V>
inline constexpr int kLanes = static_cast<int>(sizeof(V) / sizeof(Element<V>));
template <int Bytes>
struct IntOf;
template <>
struct IntOf<1> {
  using type = int8_t;
};
template <>
struct IntOf<2> {
  using type = int16_t;
};
template <>
struct IntOf<4> {
  using type = int32_t;
};
template <>
struct IntOf<8> {
  using type = int64_t;
};
/// The integer vector that comparisons of V give, and that holds V's bits.
template <class V>
using Mask = Vec<typename IntOf<sizeof(Element<V>)>::type, kLanes<V>>;

// ---- memory: no alignment is asked for ---------------------------------------------------------

template <class T, int N = kWidth<T>>
REPRISE_INLINE Vec<T, N> load(const T* p) {
  Vec<T, N> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

template <class T, class V>
REPRISE_INLINE void store(T* p, const V& v) {
  static_assert(kSame<T, Element<V>>);
  __builtin_memcpy(p, &v, sizeof(v));
}

template <class T, int N = kWidth<T>>
REPRISE_INLINE Vec<T, N> broadcast(T value) {
  return Vec<T, N>{} + value;
}
// x + 0 is not x for -0, so floating point takes the shuffle instead.
template <>
REPRISE_INLINE Vec<float> broadcast<float>(float value) {
#if defined(__AVX512F__)
  return (Vec<float>)_mm512_set1_ps(value);
#elif defined(__AVX2__)
  return (Vec<float>)_mm256_set1_ps(value);
#else
  return (Vec<float>)_mm_set1_ps(value);
#endif
}
template <>
REPRISE_INLINE Vec<double> broadcast<double>(double value) {
#if defined(__AVX512F__)
  return (Vec<double>)_mm512_set1_pd(value);
#elif defined(__AVX2__)
  return (Vec<double>)_mm256_set1_pd(value);
#else
  return (Vec<double>)_mm_set1_pd(value);
#endif
}

/// 0, 1, 2, ...
template <class T, int N = kWidth<T>>
REPRISE_INLINE Vec<T, N> iota() {
  Vec<T, N> v{};
  for (int i = 0; i < N; ++i) v[i] = static_cast<T>(i);
  return v;
}

/// The first n lanes from p, the others 0. Nothing behind p + n is read; n may be 0 or above the
/// width.
template <class T>
REPRISE_INLINE Vec<T> load_n(const T* p, int64_t n) {
  if (n >= kWidth<T>) return load(p);
#if defined(__AVX512F__)
  const uint64_t lanes = (uint64_t{1} << n) - 1;
  if constexpr (sizeof(T) == 1) return (Vec<T>)_mm512_maskz_loadu_epi8(lanes, p);
  if constexpr (sizeof(T) == 4)
    return (Vec<T>)_mm512_maskz_loadu_epi32(static_cast<__mmask16>(lanes), p);
  if constexpr (sizeof(T) == 8)
    return (Vec<T>)_mm512_maskz_loadu_epi64(static_cast<__mmask8>(lanes), p);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto lanes = (__m256i)(iota<int32_t>() < static_cast<int32_t>(n));
    return (Vec<T>)_mm256_maskload_epi32(reinterpret_cast<const int*>(p), lanes);
  }
  if constexpr (sizeof(T) == 8) {
    const auto lanes = (__m256i)(iota<int64_t>() < n);
    return (Vec<T>)_mm256_maskload_epi64(reinterpret_cast<const long long*>(p), lanes);
  }
#endif
  Vec<T> v{};
  __builtin_memcpy(&v, p, static_cast<size_t>(n) * sizeof(T));
  return v;
}

/// The lanes from `begin` to below `end` from p[lane], the others 0. Nothing else is read, also not
/// in front.
template <class T>
REPRISE_INLINE Vec<T> load_between(const T* p, int64_t begin, int64_t end) {
#if defined(__AVX512F__)
  const auto lanes = (1u << end) - (1u << begin);
  if constexpr (sizeof(T) == 4) {
    return (Vec<T>)_mm512_maskz_loadu_epi32(static_cast<__mmask16>(lanes), p);
  }
  if constexpr (sizeof(T) == 8) {
    return (Vec<T>)_mm512_maskz_loadu_epi64(static_cast<__mmask8>(lanes), p);
  }
#endif
  T values[kWidth<T>] = {};
  for (int64_t i = begin; i < end; ++i) values[i] = p[i];
  return load(values);
}

/// Stores the first n lanes and touches nothing behind them.
template <class T, class V>
REPRISE_INLINE void store_n(T* p, const V& v, int64_t n) {
  static_assert(kSame<T, Element<V>> && sizeof(V) == kVectorBytes);
  if (n >= kWidth<T>) return store(p, v);
#if defined(__AVX512F__)
  const uint64_t lanes = (uint64_t{1} << n) - 1;
  if constexpr (sizeof(T) == 1) return _mm512_mask_storeu_epi8(p, lanes, (__m512i)v);
  if constexpr (sizeof(T) == 4) {
    return _mm512_mask_storeu_epi32(p, static_cast<__mmask16>(lanes), (__m512i)v);
  }
  if constexpr (sizeof(T) == 8) {
    return _mm512_mask_storeu_epi64(p, static_cast<__mmask8>(lanes), (__m512i)v);
  }
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4) {
    const auto lanes = (__m256i)(iota<int32_t>() < static_cast<int32_t>(n));
    return _mm256_maskstore_epi32(reinterpret_cast<int*>(p), lanes, (__m256i)v);
  }
  if constexpr (sizeof(T) == 8) {
    const auto lanes = (__m256i)(iota<int64_t>() < n);
    return _mm256_maskstore_epi64(reinterpret_cast<long long*>(p), lanes, (__m256i)v);
  }
#endif
  __builtin_memcpy(p, &v, static_cast<size_t>(n) * sizeof(T));
}

// ---- arithmetic -------------------------------------------------------------------------------

/// a * b + c: rounded once where the set has FMA, twice on SSE2.
template <class V>
REPRISE_INLINE V fma(const V& a, const V& b, const V& c) {
#if defined(__AVX512F__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
  if constexpr (kSame<V, Vec<double>>)
    return (V)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
#elif defined(__FMA__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#endif
#if defined(__FMA__)
  if constexpr (kSame<V, Vec<float, 4>>) return (V)_mm_fmadd_ps((__m128)a, (__m128)b, (__m128)c);
  if constexpr (kSame<V, Vec<double, 4>>)
    return (V)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
#endif
  return a * b + c;
}

/// Lane by lane mask ? a : b; the mask holds 0 or -1.
template <class V>
REPRISE_INLINE V select(const Mask<V>& mask, const V& a, const V& b) {
  return mask ? a : b;
}

/// The larger, and NaN where either is NaN.
template <class V>
REPRISE_INLINE V max(const V& a, const V& b) {
  return select<V>((a > b) | (a != a), a, b);
}
/// The smaller, and NaN where either is NaN.
template <class V>
REPRISE_INLINE V min(const V& a, const V& b) {
  return select<V>((a < b) | (a != a), a, b);
}

template <class V>
REPRISE_INLINE V abs(const V& a) {
  if constexpr (kSame<Element<V>, float>) return (V)((Mask<V>)a & 0x7fffffff);
  if constexpr (kSame<Element<V>, double>) return (V)((Mask<V>)a & 0x7fffffffffffffff);
  return select<V>(a < 0, -a, a);
}

/// Correctly rounded. (The plain AVX-512 intrinsic makes g++ 12 warn of its own undefined operand.)
template <class V>
REPRISE_INLINE V sqrt(const V& a) {
  static_assert(sizeof(V) == kVectorBytes);
#if defined(__AVX512F__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm512_maskz_sqrt_ps(0xffff, (__m512)a);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm512_maskz_sqrt_pd(0xff, (__m512d)a);
#elif defined(__AVX2__)
  if constexpr (kSame<V, Vec<float>>) return (V)_mm256_sqrt_ps((__m256)a);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm256_sqrt_pd((__m256d)a);
#else
  if constexpr (kSame<V, Vec<float>>) return (V)_mm_sqrt_ps((__m128)a);
  if constexpr (kSame<V, Vec<double>>) return (V)_mm_sqrt_pd((__m128d)a);
#endif
}

/// Lane by lane static_cast to U (toward zero for float to integer); the number of lanes stays.
template <class U, class V>
REPRISE_INLINE Vec<U, kLanes<V>> convert(const V& v) {
  return __builtin_convertvector(v, Vec<U, kLanes<V>>);
}

/// The same bits as another type of vector of the same size.
template <class To, class V>
REPRISE_INLINE To bit_cast(const V& v) {
  static_assert(sizeof(To) == sizeof(V));
  return (To)v;
}

/// The sum of all lanes, always added in the same order: halves onto each other.
template <class V>
REPRISE_INLINE Element<V> sum(const V& v) {
  if constexpr (kLanes<V> == 1) {
    return v[0];
  } else {
    Vec<Element<V>, kLanes<V> / 2> half[2];
    __builtin_memcpy(half, &v, sizeof(v));
    return sum(half[0] + half[1]);
  }
}

}  // namespace reprise::cpu::REPRISE_ISA
