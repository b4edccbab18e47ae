#pragma once
// A scalar as the bodies of elementwise ops see it (core/ops/elementwise.h): a class, so that its
// functions are found by argument-dependent lookup, as Packet is on the CPU. Integers wrap around;
// bool is computed as uint8_t. The file needs nothing but the mathematical functions: NVRTC, which
// has no standard library, compiles it too, with -DREPRISE_HD=__device__.

#if !defined(__CUDACC_RTC__)
#include <cmath>

#include "../../core/export.h"
#endif

namespace reprise::cuda {

template <class T>
struct Number {
  T v;
};

template <class A, class B>
inline constexpr bool kSame = false;
template <class A>
inline constexpr bool kSame<A, A> = true;
template <class T>
inline constexpr bool kFloating = kSame<T, float> || kSame<T, double>;
template <class T>
inline constexpr bool kSigned = T(-1) < T(0);

/// T for arithmetic: signed overflow is undefined, unsigned is not.
template <class T, int Bytes = sizeof(T)>
struct WrappingOf {
  using type = unsigned;
};
template <class T>
struct WrappingOf<T, 8> {
  using type = unsigned long long;
};
template <>
struct WrappingOf<float, 4> {
  using type = float;
};
template <>
struct WrappingOf<double, 8> {
  using type = double;
};
template <class T>
using Wrapping = typename WrappingOf<T>::type;

// clang-format off
template <class T>
REPRISE_HD inline Number<T> operator+(const Number<T>& a, const Number<T>& b) { return {static_cast<T>(Wrapping<T>(a.v) + Wrapping<T>(b.v))}; }
template <class T>
REPRISE_HD inline Number<T> operator-(const Number<T>& a, const Number<T>& b) { return {static_cast<T>(Wrapping<T>(a.v) - Wrapping<T>(b.v))}; }
template <class T>
REPRISE_HD inline Number<T> operator*(const Number<T>& a, const Number<T>& b) { return {static_cast<T>(Wrapping<T>(a.v) * Wrapping<T>(b.v))}; }
template <class T>
REPRISE_HD inline Number<T> operator/(const Number<T>& a, const Number<T>& b) { return {a.v / b.v}; }
template <class T>
REPRISE_HD inline Number<T> operator-(const Number<T>& a) { return {static_cast<T>(-Wrapping<T>(a.v))}; }

template <class T>
REPRISE_HD inline bool operator==(const Number<T>& a, const Number<T>& b) { return a.v == b.v; }
template <class T>
REPRISE_HD inline bool operator!=(const Number<T>& a, const Number<T>& b) { return a.v != b.v; }
template <class T>
REPRISE_HD inline bool operator<(const Number<T>& a, const Number<T>& b) { return a.v < b.v; }
template <class T>
REPRISE_HD inline bool operator<=(const Number<T>& a, const Number<T>& b) { return a.v <= b.v; }
template <class T>
REPRISE_HD inline bool operator>(const Number<T>& a, const Number<T>& b) { return a.v > b.v; }
template <class T>
REPRISE_HD inline bool operator>=(const Number<T>& a, const Number<T>& b) { return a.v >= b.v; }

template <class T>
REPRISE_HD inline Number<T> zero(const Number<T>&) { return {T(0)}; }
template <class T>
REPRISE_HD inline Number<T> constant(const Number<T>&, double value) { return {static_cast<T>(value)}; }
template <class T>
REPRISE_HD inline Number<T> select(bool flag, const Number<T>& a, const Number<T>& b) { return flag ? a : b; }
/// x itself where it is NaN.
template <class T>
REPRISE_HD inline Number<T> relu(const Number<T>& x) { return x < zero(x) ? zero(x) : x; }
/// NaN where either is NaN; b where they compare equal.
template <class T>
REPRISE_HD inline Number<T> maximum(const Number<T>& a, const Number<T>& b) { return a > b || a != a ? a : b; }
template <class T>
REPRISE_HD inline Number<T> minimum(const Number<T>& a, const Number<T>& b) { return a < b || a != a ? a : b; }

REPRISE_HD inline Number<float> exp(const Number<float>& x) { return {::expf(x.v)}; }
REPRISE_HD inline Number<double> exp(const Number<double>& x) { return {::exp(x.v)}; }
REPRISE_HD inline Number<float> log(const Number<float>& x) { return {::logf(x.v)}; }
REPRISE_HD inline Number<double> log(const Number<double>& x) { return {::log(x.v)}; }
REPRISE_HD inline Number<float> sqrt(const Number<float>& x) { return {::sqrtf(x.v)}; }
REPRISE_HD inline Number<double> sqrt(const Number<double>& x) { return {::sqrt(x.v)}; }
REPRISE_HD inline Number<float> tanh(const Number<float>& x) { return {::tanhf(x.v)}; }
REPRISE_HD inline Number<double> tanh(const Number<double>& x) { return {::tanh(x.v)}; }
REPRISE_HD inline Number<float> erfcx(const Number<float>& x) { return {::erfcxf(x.v)}; }
REPRISE_HD inline Number<double> erfcx(const Number<double>& x) { return {::erfcx(x.v)}; }
REPRISE_HD inline Number<float> fma(const Number<float>& x, const Number<float>& y, const Number<float>& z) { return {::fmaf(x.v, y.v, z.v)}; }
REPRISE_HD inline Number<double> fma(const Number<double>& x, const Number<double>& y, const Number<double>& z) { return {::fma(x.v, y.v, z.v)}; }
REPRISE_HD inline Number<float> pow(const Number<float>& x, const Number<float>& y) { return {::powf(x.v, y.v)}; }
REPRISE_HD inline Number<double> pow(const Number<double>& x, const Number<double>& y) { return {::pow(x.v, y.v)}; }
REPRISE_HD inline Number<float> fmod(const Number<float>& x, const Number<float>& y) { return {::fmodf(x.v, y.v)}; }
REPRISE_HD inline Number<double> fmod(const Number<double>& x, const Number<double>& y) { return {::fmod(x.v, y.v)}; }
REPRISE_HD inline Number<float> abs(const Number<float>& x) { return {::fabsf(x.v)}; }
REPRISE_HD inline Number<double> abs(const Number<double>& x) { return {::fabs(x.v)}; }
// clang-format on

template <class T>
REPRISE_HD inline Number<T> abs(const Number<T>& x) {
  return x < zero(x) ? -x : x;
}

/// Zeros keep their sign, NaN stays.
template <class T>
REPRISE_HD inline Number<T> sign(const Number<T>& x) {
  const Number<T> one{T(1)};
  return x > zero(x) ? one : x < zero(x) ? -one : x;
}

/// 1 / (1 + exp -x), from exp -|x|, which does not overflow.
template <class T>
REPRISE_HD inline Number<T> sigmoid(const Number<T>& x) {
  const Number<T> one{T(1)}, z = exp(-abs(x));
  return (x < zero(x) ? z : one) / (one + z);
}

/// exp(-t^2 / 2) for 0 <= t <= 40. What rounding the square lost is put back.
template <class T>
REPRISE_HD inline Number<T> gaussian(const Number<T>& t) {
  const Number<T> half = constant(t, -0.5), square = t * t, y = exp(half * square);
  return fma(half * fma(t, t, -square), y, y);
}

/// The probability of more than t of a normal distribution, over gaussian(t), for 0 <= t <= 40.
template <class T>
REPRISE_HD inline Number<T> scaled_tail(const Number<T>& t) {
  return constant(t, 0.5) * erfcx(t * constant(t, 0.70710678118654752));
}

/// a - b floor(a / b) without rounding of the parts; 0 for an integer divided by 0, since a kernel
/// cannot throw.
template <class T>
REPRISE_HD inline Number<T> remainder(const Number<T>& a, const Number<T>& b) {
  Number<T> r{T(0)};
  if constexpr (kFloating<T>) {
    r = fmod(a, b);
  } else if (b.v != T(0) && !(kSigned<T> && b.v == T(-1))) {  // the least integer by -1 may trap
    r.v = static_cast<T>(a.v % b.v);
  }
  return r != zero(r) && (r < zero(r)) != (b < zero(b)) ? r + b : r;
}

/// The value as another type, as kernels/cpu/convert.h has it: floats are cut towards zero, what
/// does not fit an integer becomes its nearest bound and NaN becomes 0, integers wrap around, bool
/// is "not zero".
template <class To, class From>
REPRISE_HD constexpr To converted(From x) {
  if constexpr (kSame<To, bool>) {
    return x != From(0);
  } else if constexpr (kFloating<From> && !kFloating<To> && !kSame<From, To>) {
    constexpr unsigned long long kHalf = 1ULL << (8 * sizeof(To) - (kSigned<To> ? 2 : 1));
    constexpr To kMost = static_cast<To>(kHalf - 1 + kHalf);
    constexpr To kLeast = kSigned<To> ? static_cast<To>(-kMost - 1) : To(0);
    if (!(x > static_cast<From>(kLeast))) return x != x ? To(0) : kLeast;
    return x < static_cast<From>(kHalf) * 2 ? static_cast<To>(x) : kMost;
  } else {
    return static_cast<To>(x);
  }
}

/// An element as bodies take it, and what they give as an element; bool is a condition.
template <class T>
REPRISE_HD Number<T> operand(T x) {
  return {x};
}
REPRISE_HD inline bool operand(bool x) { return x; }
template <class T>
REPRISE_HD T stored(Number<T> x) {
  return x.v;
}
REPRISE_HD inline bool stored(bool x) { return x; }

}  // namespace reprise::cuda
