#pragma once
// A vector register as the bodies of elementwise ops see it (core/ops/elementwise.h): a class, so
// that its functions are found by argument-dependent lookup and no symbol lacks the instruction
// set's namespace. Integers wrap around.

#include "math.h"
#include "normal.h"
#include "pow.h"

namespace reprise::cpu::REPRISE_ISA {

template <class T>
struct Packet {
  Vec<T> v;
};
/// What comparisons give: 0 or -1 in each lane of a Packet<T>.
template <class T>
struct Flags {
  Mask<Vec<T>> v;
};

template <class T>
inline constexpr bool kFloating = kSame<T, float> || kSame<T, double>;
template <class T>
inline constexpr bool kSigned = T(-1) < T(0);

template <int Bytes>
struct UnsignedOf;
template <>
struct UnsignedOf<1> {
  using type = uint8_t;
};
template <>
struct UnsignedOf<4> {
  using type = uint32_t;
};
template <>
struct UnsignedOf<8> {
  using type = uint64_t;
};
template <class T>
struct WrappingOf {
  using type = typename UnsignedOf<sizeof(T)>::type;
};
template <>
struct WrappingOf<float> {
  using type = float;
};
template <>
struct WrappingOf<double> {
  using type = double;
};
/// T for arithmetic: signed overflow is undefined, unsigned is not.
template <class T>
using Wrapping = Vec<typename WrappingOf<T>::type>;

// clang-format off
template <class T>
REPRISE_INLINE Packet<T> operator+(const Packet<T>& a, const Packet<T>& b) { return {(Vec<T>)((Wrapping<T>)a.v + (Wrapping<T>)b.v)}; }
template <class T>
REPRISE_INLINE Packet<T> operator-(const Packet<T>& a, const Packet<T>& b) { return {(Vec<T>)((Wrapping<T>)a.v - (Wrapping<T>)b.v)}; }
template <class T>
REPRISE_INLINE Packet<T> operator*(const Packet<T>& a, const Packet<T>& b) { return {(Vec<T>)((Wrapping<T>)a.v * (Wrapping<T>)b.v)}; }
template <class T>
REPRISE_INLINE Packet<T> operator/(const Packet<T>& a, const Packet<T>& b) { return {a.v / b.v}; }
template <class T>
REPRISE_INLINE Packet<T> operator-(const Packet<T>& a) { return {(Vec<T>)-(Wrapping<T>)a.v}; }

template <class T>
REPRISE_INLINE Flags<T> operator==(const Packet<T>& a, const Packet<T>& b) { return {a.v == b.v}; }
template <class T>
REPRISE_INLINE Flags<T> operator!=(const Packet<T>& a, const Packet<T>& b) { return {a.v != b.v}; }
template <class T>
REPRISE_INLINE Flags<T> operator<(const Packet<T>& a, const Packet<T>& b) { return {a.v < b.v}; }
template <class T>
REPRISE_INLINE Flags<T> operator<=(const Packet<T>& a, const Packet<T>& b) { return {a.v <= b.v}; }
template <class T>
REPRISE_INLINE Flags<T> operator>(const Packet<T>& a, const Packet<T>& b) { return {a.v > b.v}; }
template <class T>
REPRISE_INLINE Flags<T> operator>=(const Packet<T>& a, const Packet<T>& b) { return {a.v >= b.v}; }

template <class T>
REPRISE_INLINE Packet<T> zero(const Packet<T>&) { return {Vec<T>{}}; }
template <class T>
REPRISE_INLINE Packet<T> constant(const Packet<T>&, double value) { return {constant<Vec<T>>(static_cast<T>(value))}; }
template <class T>
REPRISE_INLINE Packet<T> select(const Flags<T>& flags, const Packet<T>& a, const Packet<T>& b) { return {flags.v ? a.v : b.v}; }
template <class T>
REPRISE_INLINE Packet<T> maximum(const Packet<T>& a, const Packet<T>& b) { return {max(a.v, b.v)}; }
template <class T>
REPRISE_INLINE Packet<T> minimum(const Packet<T>& a, const Packet<T>& b) { return {min(a.v, b.v)}; }
template <class T>
REPRISE_INLINE Packet<T> exp(const Packet<T>& x) { return {exp(x.v)}; }
template <class T>
REPRISE_INLINE Packet<T> log(const Packet<T>& x) { return {log(x.v)}; }
template <class T>
REPRISE_INLINE Packet<T> sqrt(const Packet<T>& x) { return {sqrt(x.v)}; }
template <class T>
REPRISE_INLINE Packet<T> tanh(const Packet<T>& x) { return {tanh(x.v)}; }
template <class T>
REPRISE_INLINE Packet<T> sigmoid(const Packet<T>& x) { return {sigmoid(x.v)}; }
template <class T>
REPRISE_INLINE Packet<T> gaussian(const Packet<T>& t) { return {gaussian(t.v)}; }
template <class T>
REPRISE_INLINE Packet<T> scaled_tail(const Packet<T>& t) { return {scaled_tail(t.v)}; }
template <class T>
REPRISE_INLINE Packet<T> pow(const Packet<T>& x, const Packet<T>& y) { return {pow(x.v, y.v)}; }
// clang-format on

template <class T>
REPRISE_INLINE Packet<T> abs(const Packet<T>& x) {
  if constexpr (kFloating<T>) return {abs(x.v)};
  if constexpr (!kSigned<T>) return x;
  return select(x < zero(x), -x, x);
}

/// x itself where it is NaN.
template <class T>
REPRISE_INLINE Packet<T> relu(const Packet<T>& x) {
  return select(x < zero(x), zero(x), x);
}

/// Integers divided by 0 give 0: who calls refuses them, but lanes behind the end are 0.
template <class T>
REPRISE_INLINE T remainder_of(T a, T b) {
  T r{};
  if constexpr (kSame<T, float>) {
    r = __builtin_fmodf(a, b);
  } else if constexpr (kSame<T, double>) {
    r = __builtin_fmod(a, b);
  } else if (b != T(0) && b != T(-1)) {  // the least integer by -1 would trap
    r = static_cast<T>(a % b);
  } else if constexpr (!kSigned<T>) {
    r = b == T(0) ? T(0) : static_cast<T>(a % b);
  }
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}
template <class T>
REPRISE_INLINE Packet<T> remainder(const Packet<T>& a, const Packet<T>& b) {
  Packet<T> out;
  for (int i = 0; i < kWidth<T>; ++i) out.v[i] = remainder_of<T>(a.v[i], b.v[i]);
  return out;
}

/// Zeros keep their sign, NaN stays.
template <class T>
REPRISE_INLINE Packet<T> sign(const Packet<T>& x) {
  const Packet<T> one{broadcast<T>(1)};
  const Packet<T> not_negative = select(x > zero(x), one, x);
  if constexpr (!kSigned<T>) return not_negative;
  return select(x < zero(x), -one, not_negative);
}

}  // namespace reprise::cpu::REPRISE_ISA
