#pragma once
// x to the power y: exp(y log |x|), with log |x| and the product as sums of two doubles, since an
// absolute error of the exponent is a relative one of the result. Signs and special values follow
// IEEE 754 and C. float is computed in double. Worst errors found by tests/kernels/math_test.cpp,
// in units of the last place: float 0.5; double 1 near 1, growing with |y log x| to 25 at 700.

#include "math.h"

namespace reprise::cpu::REPRISE_ISA {

/// log x as in math.h for finite x > 0, with some eight bits more: 2 s is corrected by the
/// remainder of its division, and the terms after it are too small for their rounding to matter.
template <class V>
REPRISE_INLINE Sum<V> precise_log(const V& x) {
  using F = FormatOf<V>;
  const auto [k, f] = split(x);
  const Sum<V> denominator = exact_sum(constant<V>(2), f);
  const V inverse = 1 / denominator.value, s = f * inverse, z = s * s;
  const Sum<V> product = exact_product(s, denominator.value);
  const V remainder = (f - product.value) - product.tail - s * denominator.tail;
  const V correction = fma(s * z, polynomial(z, F::log_terms), (remainder + remainder) * inverse);
  const Sum<V> large = exact_sum(k * F::ln2, s + s);
  const V tail = fma(k, constant<V>(F::ln2_tail), large.tail) + correction;
  return exact_sum(large.value, tail);
}

template <class V>
REPRISE_INLINE Mask<V> is_integer(const V& y) {
  constexpr double all_integers = 0x1p52;
  const V a = abs(y);
  return (a >= all_integers) | ((a + all_integers) - all_integers == a);
}

/// exp(y log a) for a >= 0. Where log a or the product is infinite there is no tail.
template <class V>
REPRISE_INLINE V power_of_positive(const V& a, const V& y) {
  using F = FormatOf<V>;
  const Sum<V> log_a = precise_log(a);
  const V logarithm = log_or_special(a, log_a.value);
  const Sum<V> product = exact_product(y, logarithm);
  const V exponent = clamp(product.value, F::exp_low, F::exp_high);
  const V tail = fma(y, log_a.tail, product.tail);
  return exp_of_sum(exponent, select<V>(product.value == exponent, tail, V{}));
}

REPRISE_INLINE Vec<double> pow(const Vec<double>& x, const Vec<double>& y) {
  using V = Vec<double>;
  using F = Format<double>;
  const V a = abs(x), one = constant<V>(1);
  const Mask<V> y_integer = is_integer(y), y_odd = y_integer & ~is_integer(y * 0.5);
  const Mask<V> invalid = (x < 0) & (a < F::infinity) & ~y_integer;
  V result = power_of_positive(a, y);
  result = select<V>(invalid, constant<V>(F::nan), result);
  result = copy_sign(result, select<V>(y_odd, x, V{}));
  const Mask<V> is_one = (y == 0) | (x == 1) | ((a == 1) & (abs(y) == F::infinity));
  return select<V>(is_one, one, result);
}

REPRISE_INLINE Vec<float> pow(const Vec<float>& x, const Vec<float>& y) {
  constexpr int half = kWidth<double>;
  Vec<float, half> xs[2], ys[2], result[2];
  __builtin_memcpy(xs, &x, sizeof(x));
  __builtin_memcpy(ys, &y, sizeof(y));
#pragma GCC unroll 2
  for (int i = 0; i < 2; ++i) {
    result[i] = convert<float>(pow(convert<double>(xs[i]), convert<double>(ys[i])));
  }
  Vec<float> joined;
  __builtin_memcpy(&joined, result, sizeof(joined));
  return joined;
}

}  // namespace reprise::cpu::REPRISE_ISA
