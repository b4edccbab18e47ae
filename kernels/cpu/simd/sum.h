#pragma once
// Sums with one order for every instruction set: element i goes to lane i % kSumLanes, and lanes
// are folded by halves. Floats are summed in double, where they cost two more instructions and
// nothing is lost.

#include "reduce.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

inline constexpr int64_t kSumLanes = 32;

template <class S>
struct Lanes {
  static constexpr int kVectors = static_cast<int>(kSumLanes) / kWidth<S>;
  Vec<S> v[kVectors] = {};

  /// The sum of all lanes.
  REPRISE_INLINE S total() const {
    Vec<S> part[kVectors];
    for (int j = 0; j < kVectors; ++j) part[j] = v[j];
#pragma GCC unroll 4
    for (int half = kVectors / 2; half > 0; half /= 2) {
#pragma GCC unroll 8
      for (int j = 0; j < half; ++j) part[j] += part[j + half];
    }
    return sum(part[0]);
  }
};

/// At most kSumLanes elements, zeros behind them.
template <class T>
struct Block {
  T x[kSumLanes] = {};

  REPRISE_INLINE Block(const T* from, int64_t n, int64_t step) {
    for (int64_t i = 0; i < n; ++i) x[i] = from[i * step];
  }
};

/// The first n < kWidth<T> / 2 elements, of 4 bytes, in half a vector, zeros behind them.
template <class T>
REPRISE_INLINE Vec<T, kWidth<T> / 2> load_half(const T* x, int64_t n) {
  using Half = Vec<T, kWidth<T> / 2>;
#if defined(__AVX512F__)
  return (Half)_mm256_maskz_loadu_epi32(static_cast<__mmask8>((1u << n) - 1), x);
#elif defined(__AVX2__)
  const auto lanes = (__m128i)(iota<int32_t, 4>() < static_cast<int32_t>(n));
  return (Half)_mm_maskload_epi32(reinterpret_cast<const int*>(x), lanes);
#else
  return Half{n > 0 ? x[0] : T(0), T(0)};
#endif
}

/// kWidth<S> elements of x as S.
template <class S, class T>
REPRISE_INLINE Vec<S> load_as(const T* x) {
  if constexpr (kSame<S, T>) {
    return load(x);
  } else {
    return convert<S>(load<T, kWidth<S>>(x));
  }
}

/// The first n of them, the others 0; nothing behind them is read, and n may be 0 or less.
template <class S, class T>
REPRISE_INLINE Vec<S> load_as(const T* x, int64_t n) {
  if (n >= kWidth<S>) return load_as<S>(x);
  if (n <= 0) return Vec<S>{};
  if constexpr (kSame<S, T>) return load_n(x, n);
  if constexpr (sizeof(T) == 4) return convert<S>(load_half<T>(x, n));
  T first[kWidth<S>] = {};
  for (int64_t i = 0; i < n; ++i) first[i] = x[i];
  return load_as<S>(first);
}

/// The sum of term(x[i]...) over i < n, the elements given as vectors of S.
template <class S, class Term, class... T>
REPRISE_INLINE S sum_terms(int64_t n, Term term, const T*... x) {
  constexpr int kVectors = Lanes<S>::kVectors, kStep = kWidth<S>;
  Lanes<S> acc;
  int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes) {
#pragma GCC unroll 16
    for (int j = 0; j < kVectors; ++j) acc.v[j] += term(load_as<S>(x + i + j * kStep)...);
  }
  if (i == n) return acc.total();
#pragma GCC unroll 16
  for (int j = 0; j < kVectors; ++j) {
    const int64_t left = n - i - j * kStep;
    const Vec<S> value = term(load_as<S>(x + i + j * kStep, left)...);
    acc.v[j] += left >= kStep ? value : select<Vec<S>>(iota<int64_t>() < left, value, Vec<S>{});
  }
  return acc.total();
}

}  // namespace reprise::cpu::REPRISE_ISA
