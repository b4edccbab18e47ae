// float16 and bfloat16: conversions against a reference in double, for every value and every tie
// between two; tensors of them.

#include <bit>
#include <limits>

#include "../../core/half.h"
#include "../../core/model.h"
#include "../../core/ops/reduce.h"
#include "../../core/random.h"
#include "expect.h"

namespace reprise {
namespace {

using test::expect_error;
using test::expect_tensor;

constexpr double kInf = std::numeric_limits<double>::infinity();

/// What the bits mean, by the definition: sign, exponent, fraction.
template <class T>
double meaning(uint32_t bits) {
  constexpr int fraction_bits = std::is_same_v<T, Half> ? 10 : 7;
  constexpr int most = (1 << (15 - fraction_bits)) - 1, bias = most / 2;
  const int exponent = static_cast<int>(bits >> fraction_bits) & most;
  const double fraction = (bits & ((1U << fraction_bits) - 1)) * std::exp2(-fraction_bits);
  const double sign = bits >> 15 ? -1 : 1;
  if (exponent == most) return fraction != 0 ? std::nan("") : sign * kInf;
  if (exponent == 0) return sign * fraction * std::exp2(1 - bias);
  return sign * (1 + fraction) * std::exp2(exponent - bias);
}

template <class T>
class HalfTypes : public testing::Test {};
using Types = testing::Types<Half, BFloat16>;
TYPED_TEST_SUITE(HalfTypes, Types);

TYPED_TEST(HalfTypes, EveryValueConvertsThereAndBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const double expected = meaning<TypeParam>(bits);
    const float got = std::bit_cast<TypeParam>(static_cast<uint16_t>(bits));
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(got)) << bits;
      ASSERT_TRUE(std::isnan(static_cast<float>(TypeParam(got)))) << bits;
      ASSERT_TRUE(std::isnan(static_cast<float>(TypeParam(static_cast<double>(got))))) << bits;
      continue;
    }
    ASSERT_EQ(got, expected) << bits;
    ASSERT_EQ(std::signbit(got), std::signbit(expected)) << bits;
    ASSERT_EQ(TypeParam(got).bits, bits);
    ASSERT_EQ(TypeParam(expected).bits, bits);
  }
}

TYPED_TEST(HalfTypes, RoundsToTheNearestAndTiesToEven) {
  constexpr uint16_t infinite = std::is_same_v<TypeParam, Half> ? 0x7c00 : 0x7f80;
  for (uint16_t low = 0; low < infinite; ++low) {
    const uint16_t high = low + 1, even = low % 2 == 0 ? low : high;
    const double a = meaning<TypeParam>(low), step = a - meaning<TypeParam>(low == 0 ? 1 : low - 1);
    const double b = high == infinite ? a + std::abs(step) : meaning<TypeParam>(high);
    const double tie = a + (b - a) / 2;  // exact, in float32 as well
    const auto narrow = static_cast<float>(tie);
    for (const uint16_t sign : {0, 0x8000}) {
      const double s = sign == 0 ? 1 : -1;
      const auto sf = static_cast<float>(s);
      ASSERT_EQ(TypeParam(s * tie).bits, even | sign);
      ASSERT_EQ(TypeParam(sf * narrow).bits, even | sign);
      ASSERT_EQ(TypeParam(s * std::nextafter(tie, 0)).bits, low | sign);
      ASSERT_EQ(TypeParam(s * std::nextafter(tie, kInf)).bits, high | sign);
      ASSERT_EQ(TypeParam(sf * std::nextafter(narrow, 0.0F)).bits, low | sign);
      ASSERT_EQ(TypeParam(sf * std::nextafter(narrow, HUGE_VALF)).bits, high | sign);
    }
  }
  for (const double huge : {1e38 * 4, 1e300, kInf}) ASSERT_EQ(TypeParam(huge).bits, infinite);
  ASSERT_EQ(TypeParam(1e-320).bits, 0);
  ASSERT_EQ(TypeParam(-5e-324).bits, 0x8000);
  static_assert(static_cast<float>(TypeParam(3)) == 3 && TypeParam(true).bits == TypeParam(1).bits);
}

/// A tensor of all 65536 values.
template <class T>
Tensor every_value() {
  Tensor x = empty({256, 256}, {.dtype = dtype_of<T>()});
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    x.data<T>()[bits] = std::bit_cast<T>(static_cast<uint16_t>(bits));
  }
  return x;
}

TYPED_TEST(HalfTypes, CopiesConvertAsScalarsDo) {
  const Tensor x = every_value<TypeParam>();
  for (const Tensor& in : {x, x.t()}) {
    for (const DType wide : {float32, float64}) {
      const auto values = in.to(wide).template to_vector<double>();
      const Tensor back = in.to(wide).to(x.dtype());
      for (size_t i = 0; i < values.size(); ++i) {
        const size_t at = in.is_contiguous() ? i : i % 256 * 256 + i / 256;
        const double expected = meaning<TypeParam>(static_cast<uint32_t>(at));
        if (std::isnan(expected)) {
          ASSERT_TRUE(std::isnan(values[i]));
          continue;
        }
        ASSERT_EQ(values[i], expected);
        ASSERT_EQ(back.data<TypeParam>()[i].bits, at);
      }
    }
  }
  const Tensor some = tensor({-2.75, 0.0, 3.5, 250.0}).to(x.dtype());
  expect_tensor(some.to(int64), tensor({-2, 0, 3, 250}));
  expect_tensor(some.to(bool_), tensor({true, false, true, true}));
  expect_tensor(tensor({-7, 1 << 20}).to(x.dtype()).to(float64),
                tensor({-7.0, x.dtype() == float16 ? kInf : 1 << 20}, {.dtype = float64}));
  const Tensor bad = tensor({kInf, -kInf, std::nan("")}).to(x.dtype());
  expect_tensor(bad.to(int32), tensor({INT32_MAX, INT32_MIN, 0}, {.dtype = int32}));
}

TYPED_TEST(HalfTypes, AreTensorsLikeOthers) {
  const DType dtype = dtype_of<TypeParam>();
  const Tensor x = tensor({{1, 2}, {3, 4}}, {.dtype = dtype});
  EXPECT_EQ(x.meta().nbytes(), 8U);
  EXPECT_EQ(x[1][0].item<double>(), 3);
  EXPECT_EQ(static_cast<float>(x.template to_vector<TypeParam>()[3]), 4);
  EXPECT_EQ(to_string(x), text("[[1., 2.],\n [3., 4.]]\n", dtype, "[2, 2]"));
  EXPECT_EQ((x + 1.5).dtype(), dtype) << "numbers do not promote";
  EXPECT_EQ((x + tensor({1, 2})).dtype(), dtype);
  EXPECT_EQ((x == x).dtype(), bool_);
  expect_tensor(x.matmul(x), tensor({{7, 10}, {15, 22}}, {.dtype = dtype}));
  expect_tensor(cat({x, x.t()}, 1), tensor({{1, 2, 1, 3}, {3, 4, 2, 4}}, {.dtype = dtype}));
  expect_tensor(x.slice(1, 1), tensor({{2}, {4}}, {.dtype = dtype}));
  const Tensor y = zeros({2, 2}, {.dtype = dtype});
  y.slice(1, 0, 1).copy_(tensor({{0.5}, {2.0}}));
  expect_tensor(y, tensor({{0.5, 0.0}, {2.0, 0.0}}, {.dtype = dtype}));
  EXPECT_EQ(full({300}, 300.0, {.dtype = dtype}).mean().item<double>(),
            static_cast<float>(TypeParam(300)));
  EXPECT_EQ(rand({5}, {.dtype = dtype}).dtype(), dtype);
  EXPECT_EQ(x.half().dtype(), float16);
  EXPECT_EQ(x.bfloat16().dtype(), bfloat16);
}

TYPED_TEST(HalfTypes, SumInFloat32AndRoundOnce) {
  const DType dtype = dtype_of<TypeParam>();
  const Tensor x = rand({3000}).to(dtype);
  const Tensor wide = sum(x.to(float32));
  expect_tensor(sum(x), wide.to(dtype));
  expect_tensor(softmax(x, 0), softmax(x.to(float32), 0).to(dtype));
  Tensor w = x.clone().detach().requires_grad_();
  sum(w * w).backward();
  expect_tensor(w.grad(), x * 2);
  // A broadcast operand takes up one wide element.
  const Meta one({1 << 20}, Strides{0}, dtype);
  const Sum op{{0}, false};
  EXPECT_LE(Model(op).workspace({&one, 1}, {}),
            Model(op).workspace(Metas{Meta(one.shape, one.strides, float32)}, {}) + 512);
}

TEST(DTypes, PromoteAsInPyTorch) {
  for (const DType half : {float16, bfloat16}) {
    for (const DType integer : {bool_, uint8, int32, int64}) {
      EXPECT_EQ(promote(half, integer), half);
      EXPECT_EQ(promote(integer, half), half);
    }
    EXPECT_EQ(promote(half, half), half);
    EXPECT_EQ(promote(half, float32), float32);
    EXPECT_EQ(promote(float64, half), float64);
  }
  EXPECT_EQ(promote(float16, bfloat16), float32);
  EXPECT_EQ(promote(bfloat16, float16), float32);
  EXPECT_EQ(static_cast<int>(bool_), 5) << "numbers in files keep their meaning";
}

TEST(DTypes, RandomNumbersAreDrawnInFloat32) {
  manual_seed(3);
  const Tensor wide = randn({100});
  manual_seed(3);
  expect_tensor(randn({100}, {.dtype = bfloat16}), wide.bfloat16());
}

}  // namespace
}  // namespace reprise
