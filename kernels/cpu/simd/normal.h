#pragma once
// The normal distribution of whole vectors of float or double, in the two factors of its tail: what
// is multiplied last decides how far out the product is right. GELU, which is made of both, is
// wrong by at most 4.6 units of the last place (tests/kernels/math_test.cpp).

#include "math.h"

namespace reprise::cpu::REPRISE_ISA {

/// exp(-t^2 / 2) for 0 <= t <= 40. The square is a sum of two numbers, since an absolute error of
/// the exponent is a relative one of the result.
template <class V>
REPRISE_INLINE V gaussian(const V& t) {
  using T = Element<V>;
  using F = FormatOf<V>;
  const Sum<V> square = exact_product(t, t);
  const V exponent = square.value * T(-0.5), tail = square.tail * T(-0.5);
  const Mask<V> is_zero = exponent < F::exp_low;
  return exp_of_sum(select<V>(is_zero, constant<V>(F::exp_low), exponent),
                    select<V>(is_zero, V{}, tail));
}

/// The probability of more than t, over gaussian(t): erfcx(t / sqrt 2) / 2 for 0 <= t <= 40. With
/// its fall like 1 / t divided out it is a polynomial of a ratio between -1 and 1 (Shepherd and
/// Laframboise, Mathematics of Computation 36, 1981); the coefficients are our own.
template <class V>
REPRISE_INLINE V scaled_tail(const V& t) {
  using T = Element<V>;
  using F = FormatOf<V>;
  const V ratio = (t - F::tail_pivot) / (t + F::tail_pivot);
  return polynomial(ratio, F::tail_terms) / (t * T(0.5) + T(1));
}

}  // namespace reprise::cpu::REPRISE_ISA
