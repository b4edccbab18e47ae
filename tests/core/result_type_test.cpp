// torch.result_type: what a binary op computes in.

#include "../../core/cuda.h"
#include "../../core/ops.h"
#include "../../graph/symbolic.h"
#include "../../graph/trace.h"
#include "expect.h"

namespace reprise::test {
namespace {

constexpr std::array kTypes{float32, float64, int64, int32, uint8, bool_, float16, bfloat16};
using Row = std::array<DType, kTypes.size()>;

/// A tensor with dimensions (a row) and one of any kind beside it (a column), in the order above.
constexpr std::array<Row, kTypes.size()> kOfTensors{{
    {float32, float64, float32, float32, float32, float32, float32, float32},
    {float64, float64, float64, float64, float64, float64, float64, float64},
    {float32, float64, int64, int64, int64, int64, float16, bfloat16},
    {float32, float64, int64, int32, int32, int32, float16, bfloat16},
    {float32, float64, int64, int32, uint8, uint8, float16, bfloat16},
    {float32, float64, int64, int32, uint8, bool_, float16, bfloat16},
    {float32, float64, float16, float16, float16, float16, float16, float32},
    {float32, float64, bfloat16, bfloat16, bfloat16, bfloat16, float32, bfloat16},
}};
/// The same when the column has no dimensions and the row has.
constexpr std::array<Row, kTypes.size()> kOfScalars{{
    {float32, float32, float32, float32, float32, float32, float32, float32},
    {float64, float64, float64, float64, float64, float64, float64, float64},
    {float32, float64, int64, int64, int64, int64, float16, bfloat16},
    {float32, float64, int32, int32, int32, int32, float16, bfloat16},
    {float32, float64, uint8, uint8, uint8, uint8, float16, bfloat16},
    {float32, float64, int64, int32, uint8, bool_, float16, bfloat16},
    {float16, float16, float16, float16, float16, float16, float16, float16},
    {bfloat16, bfloat16, bfloat16, bfloat16, bfloat16, bfloat16, bfloat16, bfloat16},
}};
/// true, 1 and 1.0.
constexpr std::array<std::array<DType, 3>, kTypes.size()> kOfNumbers{{
    {float32, float32, float32},
    {float64, float64, float64},
    {int64, int64, float32},
    {int32, int32, float32},
    {uint8, uint8, float32},
    {bool_, int64, float32},
    {float16, float16, float16},
    {bfloat16, bfloat16, bfloat16},
}};

/// Calls f(a, b, the expected dtype) for every pair.
template <class F>
void for_pairs(Device device, F f) {
  for (size_t i = 0; i < kTypes.size(); ++i) {
    for (size_t j = 0; j < kTypes.size(); ++j) {
      const auto make = [&](const Shape& shape, size_t t) {
        return ones(shape, {.dtype = kTypes[t], .device = device});
      };
      SCOPED_TRACE(text(kTypes[i], " and ", kTypes[j]));
      f(make({2}, i), make({1, 1}, j), kOfTensors[i][j]);
      f(make({}, i), make({}, j), kOfTensors[i][j]);
      f(make({2}, i), make({}, j), kOfScalars[i][j]);
      f(make({}, j), make({2}, i), kOfScalars[i][j]);
    }
  }
}

DType of_arithmetic(DType d) { return d == bool_ ? int64 : d; }

void expect_results(Device device) {
  for_pairs(device, [](const Tensor& a, const Tensor& b, DType expected) {
    EXPECT_EQ(result_type(a, b), expected);
    EXPECT_EQ((a * b).dtype(), of_arithmetic(expected));
    EXPECT_EQ(maximum(a, b).dtype(), expected);
    EXPECT_EQ(where(a.to(bool_), a, b).dtype(), expected);
    EXPECT_EQ((a < b).dtype(), bool_);
  });
}

TEST(ResultType, IsThatOfPyTorch) {
  expect_results(Device::cpu());
  const std::array<Scalar, 3> numbers{true, 1, 1.0};
  for (size_t i = 0; i < kTypes.size(); ++i) {
    for (const Shape& shape : {Shape{2}, Shape{}}) {
      const Tensor x = ones(shape, {.dtype = kTypes[i]});
      for (size_t j = 0; j < numbers.size(); ++j) {
        EXPECT_EQ(result_type(x, numbers[j]), kOfNumbers[i][j]);
        EXPECT_EQ((x + numbers[j]).dtype(), of_arithmetic(kOfNumbers[i][j]));
      }
    }
  }
}

TEST(ResultType, IsTheSameOnCuda) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  expect_results(Device::cuda());
}

TEST(ResultType, IsTheSameInATrace) {
  for_pairs(Device::cpu(), [](const Tensor& a, const Tensor& b, DType expected) {
    const auto product = [](const Tensor& x, const Tensor& y) { return maximum(x, y); };
    const Graph graph = trace(product, {a, b});
    EXPECT_EQ(graph.meta(graph.outputs[0]).dtype, expected);
  });
}

TEST(ResultType, IsTheSameOfSymbols) {
  const Tensor x = Input({3}, {.dtype = float16});
  EXPECT_EQ((x * tensor(2.0)).dtype(), float16);
  EXPECT_EQ((x * sum(x.to(float32))).dtype(), float16);
  EXPECT_EQ((x * ones({3})).dtype(), float32);
}

TEST(ResultType, ValuesAreComputedInIt) {
  const Tensor bytes = tensor({200, 7}, {.dtype = uint8});
  expect_tensor(bytes + tensor(100), tensor({44, 107}, {.dtype = uint8}));
  expect_tensor(ones({2}) * tensor(1.0 / 3, {.dtype = float64}), full({2}, 1.0F / 3));
  Tensor weight = ones({2}, {.requires_grad = true});
  const Tensor scale = tensor(2.0, {.dtype = float64, .requires_grad = true});
  sum(weight * scale).backward();
  EXPECT_EQ(weight.grad().dtype(), float32);
  expect_tensor(scale.grad(), tensor(2.0, {.dtype = float64}));
}

}  // namespace
}  // namespace reprise::test
