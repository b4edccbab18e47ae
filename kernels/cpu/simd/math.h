#pragma once
// exp, log, tanh and sigmoid of whole vectors of float or double, one text for both. No branches:
// special values are selected in at the end. Arguments are reduced to a small interval, where a
// polynomial (Remez, relative error below 1/20 of the last bit) is evaluated; sums whose rounding
// would show are kept as a value and a tail.
// Worst errors found by tests/kernels/math_test.cpp, in units of the last place: exp and log 0.9,
// tanh 1.5, sigmoid 1.9.

#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

/// What the functions below know of a floating-point format and its approximations.
template <class T>
struct Format;
template <>
struct Format<float> {
  using Bits = uint32_t;
  static constexpr int mantissa_bits = 23, bias = 127;
  static constexpr Bits sqrt_half = 0x3f3504f3;  // the bits of sqrt 1/2
  static constexpr float lowest_normal = 0x1p-126f, infinity = __builtin_inff();
  static constexpr float nan = __builtin_nanf("");
  static constexpr float exp_low = -104, exp_high = 89;  // beyond, exp is 0 and infinite
  static constexpr float ln2 = 0x1.62e4p-1f,
                         ln2_tail = 1.42860682e-6f;  // ln2 k is exact for k < 256
  // exp r = 1 + r + r^2 (c0 + c1 r + ...) for |r| <= ln 2 / 2
  static constexpr float exp_terms[] = {0.49999993449713122f, 0.166665206315446045f,
                                        0.0416683874072617126f, 0.00836871696133597404f,
                                        0.00138146391302512039f};
  // log((1 + s) / (1 - s)) = 2 s + s^3 (c0 + c1 s^2 + ...) for |s| <= 3 - sqrt 8
  static constexpr float log_terms[] = {0.666667764570079006f, 0.399775315376079844f,
                                        0.298720163776447241f};
  // tanh x = x + x^3 (c0 + c1 x^2 + ...) for |x| <= 0.55
  static constexpr float tanh_terms[] = {-0.333333175605541738f, 0.133325861592481056f,
                                         -0.0538523116931397136f, 0.021071685454003438f,
                                         -0.00627424760665020544f};
  // scaled_tail t = (c0 + c1 u + ...) / (1 + t / 2) for t <= 15, u = (t - pivot) / (t + pivot)
  static constexpr float tail_pivot = 4.5f;
  static constexpr float tail_terms[] = {
      0.2756110244f,   -0.1251999536f,   0.07229427169f,  -0.02940479145f, 0.005063093803f,
      0.003235124442f, -0.003182503967f, 0.001233879015f, -6.76344505e-5f, -0.0001460095046f};
};
template <>
struct Format<double> {
  using Bits = uint64_t;
  static constexpr int mantissa_bits = 52, bias = 1023;
  static constexpr Bits sqrt_half = 0x3fe6a09e667f3bcd;
  static constexpr double lowest_normal = 0x1p-1022, infinity = __builtin_inf();
  static constexpr double nan = __builtin_nan("");
  static constexpr double exp_low = -746, exp_high = 710;
  static constexpr double ln2 = 0x1.62e42fefa38p-1, ln2_tail = 0x1.ef35793c7673p-45;
  static constexpr double exp_terms[] = {0.500000000000001063,     0.166666666666664125,
                                         0.0416666666665301571,    0.00833333333349447081,
                                         0.00138888889436303603,   0.00019841269506555356,
                                         0.0000248014930987333537, 2.75575863967415808e-6,
                                         2.7630248422432851e-7,    2.50000538788862325e-8};
  static constexpr double log_terms[] = {
      0.66666666666666661,  0.400000000000062513, 0.285714285690844887, 0.22222222647006315,
      0.181817756487683874, 0.153870914892156304, 0.132501016255430952, 0.13251479419011048};
  static constexpr double tanh_terms[] = {
      -0.333333333333332984,   0.133333333333266211,     -0.0539682539637607218,
      0.0218694883858582372,   -0.00886323260147206094,  0.00359209203068739508,
      -0.00145554284710583005, 0.000588444491020260728,  -0.000233381576157187806,
      0.000083316461540180462, -0.0000194946955259588098};
  static constexpr double tail_pivot = 6;  // for t <= 40
  static constexpr double tail_terms[] = {
      0.259117257297787397,     -0.10411104788139484,      0.0728214590064502268,
      -0.0431397132893967014,   0.0203408176512902611,     -0.0062310363813239514,
      -0.000389400121162567552, 0.00220021411065028482,    -0.00182094570376333195,
      0.000961101687961493883,  -0.00034431086690100803,   0.0000659318934611305387,
      8.6427634527827565e-6,    -0.0000104337579292957244, 2.44461859605970328e-6,
      5.33458985512946304e-7,   -4.42891782199835983e-7,   3.10012540218666322e-8,
      5.39130217886738684e-8,   -1.24260876809595761e-8,   -6.27332728353771002e-9,
      1.69125445930190467e-9,   7.13772309108343812e-10};
};
template <class V>
using FormatOf = Format<Element<V>>;
/// The bits of V as unsigned integers, which wrap around and shift in zeros.
template <class V>
using Bits = Vec<typename FormatOf<V>::Bits, kLanes<V>>;

template <class V>
REPRISE_INLINE V constant(Element<V> value) {
  return broadcast<Element<V>>(value);
}

/// c[0] + c[1] x + c[2] x^2 + ...
template <class V, size_t N>
REPRISE_INLINE V polynomial(const V& x, const Element<V> (&c)[N]) {
  V sum = constant<V>(c[N - 1]);
#pragma GCC unroll 16
  for (int k = static_cast<int>(N) - 2; k >= 0; --k) sum = fma(sum, x, constant<V>(c[k]));
  return sum;
}

/// A number kept as the sum of two, the second far smaller.
template <class V>
struct Sum {
  V value, tail;
};
/// a + b exactly, for |a| >= |b| or a == 0.
template <class V>
REPRISE_INLINE Sum<V> exact_sum(const V& a, const V& b) {
  const V value = a + b;
  return {value, b - (value - a)};
}

#if defined(__FMA__)
/// a b exactly.
template <class V>
REPRISE_INLINE Sum<V> exact_product(const V& a, const V& b) {
  const V value = a * b;
  return {value, fma(a, b, -value)};
}
#else
/// The upper half of the digits, so that products of halves are exact (Dekker, 1971).
template <class V>
REPRISE_INLINE Sum<V> halves(const V& a) {
  using Word = typename FormatOf<V>::Bits;
  constexpr Word lower = (Word{1} << (FormatOf<V>::mantissa_bits / 2 + 1)) - 1;
  const V upper = bit_cast<V>(bit_cast<Bits<V>>(a) & ~lower);
  return {upper, a - upper};
}
template <class V>
REPRISE_INLINE Sum<V> exact_product(const V& a, const V& b) {
  const V value = a * b;
  const Sum<V> x = halves(a), y = halves(b);
  return {value,
          ((x.value * y.value - value) + x.value * y.tail + x.tail * y.value) + x.tail * y.tail};
}
#endif

// x + kRounder rounds x to an integer, which then stands in the low bits of the sum.
template <class T>
inline constexpr T kRounder = T(typename Format<T>::Bits{3} << (Format<T>::mantissa_bits - 1));

/// 2^k from kRounder + k.
template <class V>
REPRISE_INLINE V power_of_two(const V& rounded) {
  using F = FormatOf<V>;
  return bit_cast<V>((bit_cast<Bits<V>>(rounded) + F::bias) << F::mantissa_bits);
}

/// exp(x + tail) for a tail below the last place of x and x in [exp_low, exp_high] or NaN.
/// x = k ln 2 + r; 2^k is multiplied in two steps, since it may be no normal number.
template <class V>
REPRISE_INLINE V exp_of_sum(const V& x, const V& tail) {
  using T = Element<V>;
  using F = FormatOf<V>;
  const V rounder = constant<V>(kRounder<T>);
  const V k = fma(x, constant<V>(T(1.44269504088896341)), rounder) - rounder;
  const V coarse = fma(k, constant<V>(-F::ln2), x);
  const V fine = fma(k, constant<V>(-F::ln2_tail), tail);
  const V r = coarse + fine;
  const Sum<V> linear = exact_sum(constant<V>(1), r);
  const V rest = linear.tail + (fine - (r - coarse));
  const V mantissa = linear.value + fma(r * r, polynomial(r, F::exp_terms), rest);
  const V half = fma(k, constant<V>(T(0.5)), rounder);
  return mantissa * power_of_two(half) * power_of_two(k - (half - rounder) + rounder);
}

template <class V>
REPRISE_INLINE V clamp(const V& x, Element<V> low, Element<V> high) {
  const V not_below = select<V>(x < low, constant<V>(low), x);
  return select<V>(not_below > high, constant<V>(high), not_below);
}

template <class V>
REPRISE_INLINE V exp(const V& x) {
  return exp_of_sum(clamp(x, FormatOf<V>::exp_low, FormatOf<V>::exp_high), V{});
}

/// x = 2^exponent (1 + fraction) with 1 + fraction in [sqrt 1/2, sqrt 2), for finite x > 0.
template <class V>
struct Split {
  V exponent, fraction;
};
template <class V>
REPRISE_INLINE Split<V> split(const V& x) {
  using T = Element<V>;
  using F = FormatOf<V>;
  using Word = typename F::Bits;
  constexpr int lift = F::mantissa_bits + 2;
  constexpr Word one = Word{F::bias} << F::mantissa_bits;
  constexpr T offset = T(Word{1} << F::mantissa_bits);
  const Mask<V> subnormal = x < F::lowest_normal;
  const Bits<V> bits = bit_cast<Bits<V>>(select<V>(subnormal, x * T(Word{1} << lift), x));
  const Bits<V> biased = (bits - F::sqrt_half + one) >> F::mantissa_bits;
  // An integer below 2^mantissa_bits is the mantissa of a number: subtract what is too much.
  const V exponent =
      bit_cast<V>(biased | bit_cast<Bits<V>>(constant<V>(offset))) -
      select<V>(subnormal, constant<V>(offset + F::bias + lift), constant<V>(offset + F::bias));
  const V mantissa = bit_cast<V>(bits - (biased << F::mantissa_bits) + one);
  return {exponent, mantissa - T(1)};
}

/// result for finite x > 0, else what log is there.
template <class V>
REPRISE_INLINE V log_or_special(const V& x, const V& result) {
  using F = FormatOf<V>;
  const V not_positive = select<V>(x == 0, constant<V>(-F::infinity), constant<V>(F::nan));
  return select<V>(x > 0, select<V>(x < F::infinity, result, x), not_positive);
}

/// log(1 + f) = f - (f^2/2 - s (f^2/2 + s^2 P(s^2))) with s = f / (2 + f): the large part f is
/// exact.
template <class V>
REPRISE_INLINE V log(const V& x) {
  using T = Element<V>;
  using F = FormatOf<V>;
  const auto [k, f] = split(x);
  const V s = f / (f + T(2)), z = s * s;
  const V half_square = f * f * T(0.5);
  const V rest = fma(s, fma(z, polynomial(z, F::log_terms), half_square), k * F::ln2_tail);
  return log_or_special(x, fma(k, constant<V>(F::ln2), f - (half_square - rest)));
}

template <class V>
REPRISE_INLINE V copy_sign(const V& magnitude, const V& sign) {
  const Bits<V> bit = bit_cast<Bits<V>>(constant<V>(Element<V>(-0.0)));
  return bit_cast<V>(bit_cast<Bits<V>>(magnitude) | (bit_cast<Bits<V>>(sign) & bit));
}

/// A polynomial near 0, 1 - 2 / (exp 2|x| + 1) elsewhere.
template <class V>
REPRISE_INLINE V tanh(const V& x) {
  using T = Element<V>;
  const V a = abs(x), z = a * a;
  const V near = fma(a * z, polynomial(z, FormatOf<V>::tanh_terms), a);
  const V far = T(1) - T(2) / (exp(a + a) + T(1));
  return copy_sign(select<V>(a < T(0.55), near, far), x);
}

/// 1 / (1 + exp -x), from z = exp -|x|, which does not overflow. What 1 + z lost is put back: it is
/// tiny, so 1 - z/2 will do for 1 / (1 + z).
template <class V>
REPRISE_INLINE V sigmoid(const V& x) {
  using T = Element<V>;
  const V one = constant<V>(1), z = exp(-abs(x));
  const Sum<V> sum = exact_sum(one, z);
  const V ratio = select<V>(x < 0, z, one) / sum.value;
  return fma(ratio * sum.tail, z * T(0.5) - T(1), ratio);
}

}  // namespace reprise::cpu::REPRISE_ISA
