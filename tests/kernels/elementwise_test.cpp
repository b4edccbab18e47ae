// Every loop of the family list for every dtype and instruction set against one element at a time,
// then the engine around them on all layouts. Accuracy of the functions: math_test.cpp.

#include "../../core/ops/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "../../core/parallel.h"
#include "../../kernels/cpu/simd/elementwise.h"
#include "kernel_testing.h"
#include "operand.h"

namespace reprise {
namespace {

// ---- one element at a time
// ---------------------------------------------------------------------------

/// Arithmetic of integers wraps around.
template <class T, class F>
T wrapping(T a, T b, F f) {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(f(static_cast<uint64_t>(a), static_cast<uint64_t>(b)));
  } else {
    return f(a, b);
  }
}
template <class T>
bool is_nan(T x) {
  return x != x;
}
template <class T>
T larger(T a, T b) {
  return is_nan(a) ? a : is_nan(b) ? b : a > b ? a : b;
}
template <class T>
T smaller(T a, T b) {
  return is_nan(a) ? a : is_nan(b) ? b : a < b ? a : b;
}

/// With the sign of b; 0 for an integer by 0, which only lanes behind the end see.
template <class T>
T modulo(T a, T b) {
  T r = 0;
  if constexpr (std::is_floating_point_v<T>)
    r = std::fmod(a, b);
  else if (b != 0 && (std::is_unsigned_v<T> || b != T(-1)))
    r = static_cast<T>(a % b);
  return r != 0 && (r < 0) != (b < 0) ? static_cast<T>(r + b) : r;
}

long double gelu_of(long double x) {
  return std::max(x, -60.0L) / 2 * std::erfc(-x / std::sqrt(2.0L));
}
long double gelu_slope(long double x) {
  x = std::isnan(x) ? x : std::clamp(x, -60.0L, 60.0L);
  return std::erfc(-x / std::sqrt(2.0L)) / 2 + x * std::exp(-x * x / 2) * M_2_SQRTPI / M_SQRT2 / 2;
}
long double gelu_tanh_of(long double x) {
  const long double u = 2 * std::sqrt(M_2_PIl) * (x + 0.044715L * x * x * x);
  return std::max(x, -60.0L) / (1 + std::exp(-u));
}
long double gelu_tanh_slope(long double x) {
  x = std::isnan(x) ? x : std::clamp(x, -60.0L, 60.0L);
  const long double scale = 2 * std::sqrt(M_2_PIl);
  const long double s = 1 / (1 + std::exp(-scale * (x + 0.044715L * x * x * x)));
  return s + x * s * (1 - s) * scale * (1 + 3 * 0.044715L * x * x);
}

#define REPRISE_ELEMENT(Op, expression)                          \
  template <class T>                                             \
  auto element(Op, [[maybe_unused]] T a, [[maybe_unused]] T b) { \
    return expression;                                           \
  }
REPRISE_ELEMENT(Neg, wrapping(T(0), a, [](auto x, auto y) { return x * 0 - y; }))
REPRISE_ELEMENT(Abs, a < T(0)                      ? element(Neg{}, a, b)
                     : std::is_floating_point_v<T> ? T(std::fabs(a))
                                                   : a)
REPRISE_ELEMENT(Sign, T(a > T(0) ? T(1) : a < T(0) ? T(-1) : a))
REPRISE_ELEMENT(Relu, a < T(0) ? T(0) : a)
REPRISE_ELEMENT(ReluGrad, b > T(0) ? a : T(0))
REPRISE_ELEMENT(Add, wrapping(a, b, [](auto x, auto y) { return x + y; }))
REPRISE_ELEMENT(Sub, wrapping(a, b, [](auto x, auto y) { return x - y; }))
REPRISE_ELEMENT(Mul, wrapping(a, b, [](auto x, auto y) { return x * y; }))
REPRISE_ELEMENT(Div, a / b)
REPRISE_ELEMENT(Remainder, modulo(a, b))
REPRISE_ELEMENT(Maximum, larger(a, b))
REPRISE_ELEMENT(Minimum, smaller(a, b))
REPRISE_ELEMENT(Eq, uint8_t(a == b))
REPRISE_ELEMENT(Ne, uint8_t(a != b))
REPRISE_ELEMENT(Lt, uint8_t(a < b))
REPRISE_ELEMENT(Le, uint8_t(a <= b))
REPRISE_ELEMENT(Gt, uint8_t(a > b))
REPRISE_ELEMENT(Ge, uint8_t(a >= b))
REPRISE_ELEMENT(Exp, std::exp(a))
REPRISE_ELEMENT(Log, std::log(a))
REPRISE_ELEMENT(Sqrt, std::sqrt(a))
REPRISE_ELEMENT(Tanh, std::tanh(a))
REPRISE_ELEMENT(Sigmoid, 1 / (1 + std::exp(-a)))
REPRISE_ELEMENT(Pow, std::pow(a, b))
REPRISE_ELEMENT(Gelu, T(gelu_of(a)))
REPRISE_ELEMENT(GeluTanh, T(gelu_tanh_of(a)))
REPRISE_ELEMENT(GeluGrad, T(a* gelu_slope(b)))
REPRISE_ELEMENT(GeluTanhGrad, T(a* gelu_tanh_slope(b)))
#undef REPRISE_ELEMENT

/// Where a derivative is 0, what is near has the error of its terms; the argument of the
/// approximation's exponential is rounded.
template <class Op>
constexpr int kTolerance = 8;
template <>
constexpr int kTolerance<GeluTanh> = 24;
template <class Op>
constexpr int kErrorOfTerms = 0;
template <>
constexpr int kErrorOfTerms<GeluGrad> = 4;
template <>
constexpr int kErrorOfTerms<GeluTanhGrad> = 8;

template <class T>
bool close(T got, T expected, [[maybe_unused]] int tolerance = 8, [[maybe_unused]] T absolute = 0) {
  if (got == expected || (is_nan(got) && is_nan(expected))) return true;
  if constexpr (std::is_floating_point_v<T>) {
    return std::abs(got - expected) <=
           std::numeric_limits<T>::epsilon() * (tolerance * std::abs(expected) + absolute);
  }
  return false;
}

/// Small, large and special values.
template <class T>
std::vector<T> values(size_t n, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<T> out(n);
  for (T& x : out) {
    const uint64_t bits = random();
    if constexpr (std::is_floating_point_v<T>) {
      constexpr T special[] = {0,
                               T(-0.0),
                               1,
                               -1,
                               std::numeric_limits<T>::infinity(),
                               -std::numeric_limits<T>::infinity(),
                               std::numeric_limits<T>::quiet_NaN(),
                               T(1e-40)};
      x = bits % 8 == 0 ? special[bits / 8 % 8] : static_cast<T>(bits >> 40) / T(1 << 21) - 4;
    } else {
      x = static_cast<T>(bits % 2 == 0 ? bits / 2 : bits / 2 % 5);
    }
  }
  return out;
}

// ---- the loops
// ---------------------------------------------------------------------------------------

template <class Op, class T>
void expect_loop(cpu::Loop loop) {
  using Result = decltype(element(Op{}, T{}, T{}));
  constexpr size_t n = 533;
  auto a = values<T>(n, 1), b = values<T>(n, 2);
  std::vector<Result> out(n + 1, Result(77));
  void* operands[] = {out.data(), a.data(), b.data()};
  const Op op;
  loop(&op, n, operands);
  for (size_t i = 0; i < n; ++i) {
    Result error{};
    if constexpr (std::is_floating_point_v<Result>) error = kErrorOfTerms<Op> * std::abs(a[i]);
    ASSERT_TRUE(close<Result>(out[i], element(op, a[i], b[i]), kTolerance<Op>, error))
        << Op::name << " of " << +a[i] << ", " << +b[i] << " gave " << +out[i];
  }
  ASSERT_EQ(out[n], Result(77));
  for (size_t first : {0U, 1U, 7U}) {  // the same bits in the body and in every tail
    for (size_t count = 0; count < 140; ++count) {
      std::vector<Result> part(count + 1, Result(77));
      void* moved[] = {part.data(), a.data() + first, b.data() + first};
      loop(&op, static_cast<int64_t>(count), moved);
      ASSERT_EQ(std::memcmp(part.data(), out.data() + first, count * sizeof(Result)), 0)
          << Op::name << ", " << count << " elements";
      ASSERT_EQ(part[count], Result(77)) << Op::name << " wrote beyond " << count;
    }
  }
}

template <class T>
void expect_where(cpu::Loop loop) {
  auto a = values<T>(200, 1), b = values<T>(200, 2);
  auto condition = values<uint8_t>(200, 3);
  for (uint8_t& c : condition) c &= 1;
  for (size_t n = 0; n < 200; ++n) {
    std::vector<T> out(n + 1, T(77));
    void* operands[] = {out.data(), condition.data(), a.data(), b.data()};
    const Where op;
    loop(&op, static_cast<int64_t>(n), operands);
    for (size_t i = 0; i < n; ++i) {
      const T& expected = condition[i] ? a[i] : b[i];
      ASSERT_EQ(std::memcmp(&out[i], &expected, sizeof(T)), 0) << "where, element " << i;
    }
    ASSERT_EQ(out[n], T(77));
  }
}

template <class Op, class T>
void expect_op(cpu::Isa isa, ElementwiseIndex index) {
  const cpu::Loop loop = cpu::elementwise_table(isa).at(index, dtype_of<T>());
  if constexpr (Op::domain == Domain::floating && !std::is_floating_point_v<T>) {
    EXPECT_EQ(loop, nullptr) << Op::name;
  } else if constexpr (std::is_same_v<Op, Where>) {
    expect_where<T>(loop);
  } else {
    expect_loop<Op, T>(loop);
  }
}

template <class T>
class ElementwiseLoops : public ::testing::Test {};
using Types = ::testing::Types<float, double, int64_t, int32_t, uint8_t>;
TYPED_TEST_SUITE(ElementwiseLoops, Types);

TYPED_TEST(ElementwiseLoops, EqualOneElementAtATime) {
  for (cpu::Isa isa : cpu::testable_levels()) {
    SCOPED_TRACE(static_cast<int>(isa));
#define REPRISE_EXPECT(Op) expect_op<Op, TypeParam>(isa, ElementwiseIndex::Op);
    REPRISE_ELEMENTWISE_OPS(REPRISE_EXPECT)
#undef REPRISE_EXPECT
  }
}

// ---- the engine
// --------------------------------------------------------------------------------------

template <class T>
Operand<T> filled(const Shape& shape, const Shape& order, unsigned seed) {
  Operand<T> x(shape, order);
  const auto v = values<typename Operand<T>::Stored>(x.values.size(), seed);
  for (int64_t i = 0; i < x.numel(); ++i) x[i] = v[static_cast<size_t>(i)];
  return x;
}

template <class T>
bool same_bits(const Operand<T>& a, const Operand<T>& b) {
  for (int64_t i = 0; i < a.numel(); ++i) {
    if (std::memcmp(&a[i], &b[i], sizeof(T)) != 0) return false;
  }
  return true;
}

const std::vector<Shape> kShapes{{},        {1},         {0, 3},      {4},          {2, 3},
                                 {7, 1, 9}, {33, 40},    {3, 700},    {700, 3},     {1000, 70},
                                 {2, 3, 5}, {9, 17, 33}, {2, 64, 49}, {40, 3, 1100}};

TEST(ElementwiseKernel, GivesTheSameBitsInEveryLayout) {
  for (const Shape& shape : kShapes) {
    const Shape plain = shape.dim() == 3   ? Shape{0, 1, 2}
                        : shape.dim() == 2 ? Shape{0, 1}
                                           : Shape{};
    Operand<float> expected(shape), out(shape);
    run_kernel(Sub{}, expected, filled<float>(shape, plain, 1), filled<float>(shape, plain, 2));
    std::vector<Shape> orders{plain};
    if (shape.dim() == 2) orders.push_back({1, 0});
    if (shape.dim() == 3) orders.insert(orders.end(), {{2, 1, 0}, {0, 2, 1}, {1, 2, 0}});
    for (const Shape& a : orders) {
      for (const Shape& b : orders) {
        run_kernel(Sub{}, out, filled<float>(shape, a, 1), filled<float>(shape, b, 2));
        EXPECT_TRUE(same_bits(out, expected)) << to_string(shape) << to_string(a) << to_string(b);
      }
    }
  }
}

/// x and y seen with some dimensions broadcast.
TEST(ElementwiseKernel, Broadcasts) {
  for (const Shape& shape : kShapes) {
    if (shape.dim() < 2) continue;
    for (unsigned kept = 0; kept < 1U << shape.dim(); ++kept) {
      const Operand<double> x = filled<double>(shape, {}, 1);
      Operand<double> y = filled<double>(shape, {}, 2), copy(shape), out(shape), expected(shape);
      for (size_t d = 0; d < shape.size(); ++d) y.meta.strides[d] *= kept >> d & 1;
      for (int64_t i = 0; i < x.numel(); ++i) copy[i] = y[i];
      run_kernel(Add{}, expected, x, copy);
      run_kernel(Add{}, out, x, y);
      ASSERT_TRUE(same_bits(out, expected)) << to_string(shape) << kept;
      run_kernel(Add{}, expected, copy, x);
      run_kernel(Add{}, out, y, x);
      ASSERT_TRUE(same_bits(out, expected)) << to_string(shape) << kept;
    }
  }
}

TEST(ElementwiseKernel, RunsInPlaceOnAnyView) {
  for (const Shape& order : {Shape{0, 1}, Shape{1, 0}}) {
    Operand<float> x = filled<float>({90, 70}, order, 1), expected({90, 70});
    const Operand<float> y = filled<float>({90, 70}, {0, 1}, 2);
    run_kernel(Mul{}, expected, x, y);
    run_kernel(Mul{}, x, x, y);
    EXPECT_TRUE(same_bits(x, expected));
  }
  Operand<float> x = filled<float>({40, 60}, {}, 3);  // every second column
  const Operand<float> before = x;
  x.meta = Meta({40, 30}, {60, 2}, float32);
  run_kernel(Exp{}, x, x);
  for (int64_t i = 0; i < 2400; ++i) {
    const auto at = static_cast<size_t>(i);
    const float old = before.values[at], expected = i % 2 == 0 ? std::exp(old) : old;
    ASSERT_TRUE(close(x.values[at], expected)) << i;
  }
}

TEST(ElementwiseKernel, MixesSizesOfElements) {
  const Operand<double> a = filled<double>({50, 30}, {1, 0}, 1),
                        b = filled<double>({50, 30}, {}, 2);
  Operand<bool> less({50, 30});
  run_kernel(Lt{}, less, a, b);
  for (int64_t i = 0; i < a.numel(); ++i) ASSERT_EQ(less[i], a[i] < b[i]);
  Operand<bool> column({50, 30});
  for (int64_t i = 0; i < 50; ++i) column.values[static_cast<size_t>(i)] = i % 3 == 0;
  column.meta.strides = {1, 0};
  Operand<double> chosen({50, 30});
  run_kernel(Where{}, chosen, column, a, b);
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double expected = i / 30 % 3 == 0 ? a[i] : b[i];
    ASSERT_EQ(std::memcmp(&chosen[i], &expected, sizeof(double)), 0);
  }
  const Operand<bool> x = column, y = less;
  Operand<bool> either({50, 30});
  run_kernel(Maximum{}, either, x, y);
  for (int64_t i = 0; i < a.numel(); ++i) ASSERT_EQ(either[i], x[i] | y[i]);
}

TEST(ElementwiseKernel, IsTheSameForAnyNumberOfThreads) {
  const Operand<float> dense = filled<float>({500, 700}, {}, 1);
  const Operand<float> transposed = filled<float>({500, 700}, {1, 0}, 2);
  const int before = num_threads();
  std::vector<Operand<float>> results;
  for (int threads : {1, 2, 3}) {
    set_num_threads(threads);
    Operand<float> out({500, 700});
    run_kernel(Add{}, out, dense, transposed);
    run_kernel(Tanh{}, out, out);
    results.push_back(out);
  }
  set_num_threads(before);
  EXPECT_TRUE(same_bits(results[0], results[1]) && same_bits(results[0], results[2]));
}

}  // namespace
}  // namespace reprise
