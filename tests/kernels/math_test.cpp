// The functions of kernels/cpu/simd/math.h and pow.h, through the loops of every instruction set
// that this machine has, against the C library in wider arithmetic.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "../../kernels/cpu/simd/elementwise.h"
#include "kernel_testing.h"

namespace reprise {
namespace {

using cpu::Isa;

template <class T>
using Wider = std::conditional_t<std::is_same_v<T, float>, double, long double>;

template <class T>
std::vector<T> run(Isa isa, ElementwiseIndex op, std::vector<T> a, std::vector<T> b = {}) {
  std::vector<T> out(a.size());
  void* operands[] = {out.data(), a.data(), b.data()};
  const char no_attributes = 0;
  cpu::elementwise_table(isa).at(op, dtype_of<T>())(&no_attributes, static_cast<int64_t>(a.size()),
                                                    operands);
  return out;
}

/// Distance in units of the last place of `expected`, rounded to T.
template <class T>
double ulps(T got, Wider<T> expected) {
  const T nearest = static_cast<T>(expected);
  if (std::isnan(nearest)) return std::isnan(got) ? 0 : 1e30;
  if (std::isinf(nearest) || std::isinf(got)) return got == nearest ? 0 : 1e30;
  if (nearest == 0 && got == 0) return std::signbit(got) == std::signbit(nearest) ? 0 : 1e30;
  using Limits = std::numeric_limits<T>;
  const int exponent = std::max(std::ilogb(expected), Limits::min_exponent - 1);
  const Wider<T> unit = std::ldexp(Wider<T>(1), exponent - Limits::digits + 1);
  return static_cast<double>(std::abs(got - expected) / unit);
}

/// Every `stride`-th number of the format, all signs, magnitudes, infinities and NaN.
template <class T>
std::vector<T> numbers(uint64_t stride) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  std::vector<T> out;
  const uint64_t last = std::numeric_limits<Bits>::max();
  for (uint64_t bits = 0;; bits += stride) {
    out.push_back(std::bit_cast<T>(static_cast<Bits>(bits)));
    if (last - bits < stride) break;
  }
  using Limits = std::numeric_limits<T>;
  for (T x : {T(0), T(1), T(0.55), Limits::infinity(), Limits::quiet_NaN(), Limits::max(),
              Limits::min(), Limits::denorm_min()}) {
    out.insert(out.end(), {x, -x, std::nextafter(x, T(0)), std::nextafter(x, T(4))});
  }
  return out;
}

template <class T>
std::vector<T> evenly(T low, T high, int count) {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<T> uniform(low, high);
  std::vector<T> out;
  for (int i = 0; i < count; ++i) out.push_back(uniform(random));
  return out;
}

/// The largest error of op(a[i], b[i]) on any instruction set is within `limit` units.
template <class T, class F>
void expect_within(double limit, ElementwiseIndex op, F reference, const std::vector<T>& a,
                   const std::vector<T>& b = {}) {
  std::vector<Wider<T>> expected;
  for (size_t i = 0; i < a.size(); ++i) {
    expected.push_back(reference(Wider<T>(a[i]), b.empty() ? 0 : Wider<T>(b[i])));
  }
  for (Isa isa : cpu::testable_levels()) {
    const std::vector<T> got = run(isa, op, a, b);
    double worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      const double error = ulps<T>(got[i], expected[i]);
      if (error > worst) worst = error, where = i;
    }
    EXPECT_LE(worst, limit) << "instruction set " << static_cast<int>(isa) << ", at " << a[where]
                            << ", " << (b.empty() ? 0 : b[where]);
    ::testing::Test::RecordProperty(testing::PrintToString(static_cast<int>(isa)),
                                    std::to_string(worst));
  }
}

template <class T>
class Functions : public ::testing::Test {
 public:
  /// The whole format, and more densely where the function is not trivial.
  static std::vector<T> samples() {
    std::vector<T> x = numbers<T>(sizeof(T) == 4 ? 4999 : 0x1p64 / 300007);
    for (T high : {T(0.01), T(0.6), T(2), T(20), T(sizeof(T) == 4 ? 105 : 746)}) {
      const std::vector<T> more = evenly<T>(-high, high, 200'000);
      x.insert(x.end(), more.begin(), more.end());
    }
    return x;
  }
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Functions, Types);

TYPED_TEST(Functions, Exp) {
  expect_within(
      0.9, ElementwiseIndex::Exp, [](auto x, auto) { return std::exp(x); }, this->samples());
}
TYPED_TEST(Functions, Log) {
  expect_within(
      0.9, ElementwiseIndex::Log, [](auto x, auto) { return std::log(x); }, this->samples());
}
TYPED_TEST(Functions, Sqrt) {
  expect_within(
      0.5, ElementwiseIndex::Sqrt, [](auto x, auto) { return std::sqrt(x); }, this->samples());
}
TYPED_TEST(Functions, Tanh) {
  expect_within(
      1.6, ElementwiseIndex::Tanh, [](auto x, auto) { return std::tanh(x); }, this->samples());
}
TYPED_TEST(Functions, Sigmoid) {
  expect_within(
      1.9, ElementwiseIndex::Sigmoid, [](auto x, auto) { return 1 / (1 + std::exp(-x)); },
      this->samples());
}

// The exact one keeps its digits to where it is no normal number; the argument of the other one's
// exponential is rounded, which shows where that is large.
TYPED_TEST(Functions, Gelu) {
  using T = TypeParam;
  const auto exact = [](auto x, auto) {
    using W = decltype(x);
    return std::max(x, W(-60)) / 2 * std::erfc(-x * W(M_SQRT1_2l));
  };
  const auto approximate = [](auto x, auto) {
    using W = decltype(x);
    const W u = W(2 * std::sqrt(M_2_PIl)) * (x + W(0.044715l) * x * x * x);
    return std::max(x, W(-60)) / (1 + std::exp(-u));
  };
  expect_within(4.7, ElementwiseIndex::Gelu, exact, this->samples());
  expect_within(7, ElementwiseIndex::GeluTanh, approximate, evenly<T>(-2, 20, 200'000));
  expect_within(sizeof(T) == 4 ? 200 : 1300, ElementwiseIndex::GeluTanh, approximate,
                this->samples());
}

// Near 1, the logarithm is tiny; elsewhere exponents are as large as they can be without overflow.
TYPED_TEST(Functions, Pow) {
  using T = TypeParam;
  std::vector<T> base = evenly<T>(0, 4, 200'000), exponent = evenly<T>(-20, 20, 200'000);
  const T largest = sizeof(T) == 4 ? 87 : 708;
  for (T x : numbers<T>(sizeof(T) == 4 ? 19'999 : 0x1p64 / 100'003)) {
    const T log = std::log(std::abs(x));
    const bool plain = std::isfinite(log) && log != 0;
    for (T part : {T(-0.999), T(0.37), T(1)}) {
      base.push_back(std::abs(x));
      exponent.push_back(plain ? part * largest / log : part);
    }
  }
  for (T x : evenly<T>(T(0.99), T(1.01), 100'000)) {
    base.push_back(x);
    exponent.push_back(largest / 2 / std::log(x));
  }
  expect_within(
      sizeof(T) == 4 ? 0.51 : 32, ElementwiseIndex::Pow,
      [](auto x, auto y) { return std::pow(x, y); }, base, exponent);
}

TYPED_TEST(Functions, PowOfSpecialValues) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  std::vector<T> special{0,
                         0.5,
                         1,
                         1.5,
                         2,
                         3,
                         4,
                         1e10,
                         Limits::max(),
                         Limits::min(),
                         Limits::denorm_min(),
                         Limits::infinity(),
                         Limits::quiet_NaN(),
                         T(1) / Limits::epsilon() + 1,
                         2 / Limits::epsilon()};
  for (size_t i = 0, n = special.size(); i < n; ++i) special.push_back(-special[i]);
  std::vector<T> base, exponent;
  for (T x : special) {
    for (T y : special) base.push_back(x), exponent.push_back(y);
  }
  expect_within(
      1, ElementwiseIndex::Pow, [](auto x, auto y) { return std::pow(x, y); }, base, exponent);
}

TYPED_TEST(Functions, PowersOfSmallIntegersAreExact) {
  using T = TypeParam;
  std::vector<T> base, exponent;
  for (int x = -20; x <= 20; ++x) {
    for (int y = 0; y <= 10; ++y) {
      if (std::pow(std::abs(x), y) > 1 / std::numeric_limits<T>::epsilon()) continue;
      base.push_back(static_cast<T>(x)), exponent.push_back(static_cast<T>(y));
    }
  }
  expect_within(
      0, ElementwiseIndex::Pow, [](auto x, auto y) { return std::pow(x, y); }, base, exponent);
}

}  // namespace
}  // namespace reprise
