// Every op row in every mode.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "../../autograd/engine.h"
#include "../../autograd/gradcheck.h"
#include "../../autograd/tape.h"
#include "../../core/parallel.h"
#include "../../graph/model.h"
#include "row_inputs.h"

namespace reprise::op_rows {
namespace {

Arrays to_arrays(const Tensors& tensors) {
  Arrays out;
  for (const Tensor& t : tensors) {
    Array a(t.shape());
    a.values = t.to_vector<double>();
    out.push_back(std::move(a));
  }
  return out;
}

void expect_close(const Tensors& got, const Arrays& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].shape(), expected[k].shape) << "output " << k;
    const std::vector<double> values = got[k].to_vector<double>();
    for (size_t i = 0; i < values.size(); ++i) {
      const double want = expected[k].values[i];
      if (std::isnan(want) || std::isnan(values[i])) {
        ASSERT_EQ(std::isnan(want), std::isnan(values[i])) << "output " << k << ", element " << i;
        continue;
      }
      ASSERT_NEAR(values[i], want, tolerance * std::max(1.0, std::abs(want)))
          << "output " << k << ", element " << i;
    }
  }
}

void expect_same_bits(const Tensors& got, const Tensors& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].shape(), expected[k].shape()) << "output " << k;
    const Tensor a = got[k].contiguous(), b = expected[k].contiguous();
    if (a.numel() == 0) continue;
    ASSERT_EQ(std::memcmp(a.raw_data(), b.raw_data(), a.meta().nbytes()), 0)
        << "output " << k << ":\n"
        << a << "\nexpected\n"
        << b;
  }
}

class OpRows : public testing::TestWithParam<OpRow> {
 protected:
  Tensors run(const Tensors& in) const {
    const NoGradGuard no_grad;
    return GetParam().f(in);
  }
};

TEST_P(OpRows, MatchesReferenceInFloat32) {
  const Tensors in = draw_all(GetParam().operands, float32);
  expect_close(run(in), GetParam().reference(to_arrays(in)), GetParam().tolerance);
}

TEST_P(OpRows, MatchesReferenceInFloat64) {
  const Tensors in = draw_all(GetParam().operands, float64);
  expect_close(run(in), GetParam().reference(to_arrays(in)), GetParam().tolerance * 1e-7);
}

TEST_P(OpRows, MatchesReferenceInIntegers) {
  if (!GetParam().integers) GTEST_SKIP() << "for floating point only";
  for (const DType dtype : {int64, int32}) {
    const Tensors in = draw_all(GetParam().operands, dtype);
    expect_close(run(in), GetParam().reference(to_arrays(in)), 0);
  }
}

/// One op rounds once; a row of several rounds between them.
TEST_P(OpRows, MatchesFloat32InHalf) {
  for (const DType dtype : {float16, bfloat16}) {
    const Tensors in = draw_all(GetParam().operands, dtype);
    const Tensors out = run(in), wide = run(converted(in, dtype, float32));
    ASSERT_EQ(out.size(), wide.size());
    for (size_t k = 0; k < out.size(); ++k) {
      if (wide[k].dtype() == float32) {
        EXPECT_TRUE(out[k].dtype() == dtype || GetParam().name.starts_with("batch_norm")) << out[k];
      }
    }
    expect_close(out, to_arrays(wide), 6 * rounding_of(dtype));
  }
}

TEST_P(OpRows, HasGradientsInHalf) {
  if (!GetParam().differentiable) GTEST_SKIP() << "not differentiable";
  for (const DType dtype : {float16, bfloat16}) {
    const Tensors narrow = draw_all(GetParam().operands, dtype);
    Tensors gradients[2];
    for (const DType type : {dtype, float32}) {
      Tensors wanted;
      Tensors in = converted(narrow, dtype, type);
      for (size_t i = 0; i < in.size(); ++i) {
        if (GetParam().operands[i].kind == Operand::Kind::real) {
          wanted.push_back(in[i].detach().clone().requires_grad_());
          in[i] = wanted.back();
        }
      }
      Tensors outputs, weights;
      for (const Tensor& y : GetParam().f(in)) {
        if (!y.requires_grad()) continue;
        outputs.push_back(y);
        weights.push_back((sigmoid(y.detach().to(float32)) - 0.25).to(dtype).to(y.dtype()));
      }
      gradients[type == float32] = grad(outputs, wanted, {.grad_outputs = weights});
    }
    for (const Tensor& g : gradients[0]) EXPECT_EQ(g.dtype(), dtype);
    expect_close(gradients[0], to_arrays(gradients[1]), 16 * rounding_of(dtype));
  }
}

TEST_P(OpRows, GivesSameBitsForAnyLayout) {
  const Tensors in = draw_all(GetParam().operands, float32);
  const Tensors expected = run(in);
  for (const auto layout : kLayouts) {
    Tensors other;
    for (const Tensor& x : in) other.push_back(layout(x));
    const Tensors got = run(other);
    EXPECT_EQ(format_fault(GetParam(), other, got), "");
    expect_same_bits(got, expected);
  }
}

TEST_P(OpRows, TakesExpandedOperands) {
  Tensors expanded, dense;
  for (const Operand& o : GetParam().operands) {
    Operand one = o;
    if (o.shape.dim() > 0) one.shape[0] = 1;
    expanded.push_back(draw(one, float32, 1 + expanded.size()).expand(o.shape));
    dense.push_back(expanded.back().clone());
  }
  expect_same_bits(run(expanded), run(dense));
}

TEST_P(OpRows, TakesEmptyOperands) {
  if (!GetParam().any_batch) GTEST_SKIP() << "its operands have no common batch";
  std::vector<Operand> operands = GetParam().operands;
  for (Operand& o : operands) o.shape[0] = 0;
  const Tensors in = draw_all(operands, float32);
  expect_close(run(in), GetParam().reference(to_arrays(in)), 0);
}

TEST_P(OpRows, CarriesNaN) {
  Tensors in = draw_all(GetParam().operands, float32);
  if (in[0].dtype() != float32) GTEST_SKIP() << "its first operand has no NaN";
  in[0].data<float>()[in[0].numel() / 2] = std::numeric_limits<float>::quiet_NaN();
  const Tensors out = run(in);
  if (GetParam().propagates_nan) {
    EXPECT_TRUE((sum(out[0]) != sum(out[0])).item<bool>()) << out[0];
  }
  expect_close(out, GetParam().reference(to_arrays(in)), GetParam().tolerance);
}

TEST_P(OpRows, GivesSameBitsForAnyNumberOfThreads) {
  const auto& sizes = GetParam().sizes;
  const Tensors in = draw_all(sizes.empty() ? GetParam().operands : sizes[1], float32);
  const int before = num_threads();
  set_num_threads(1);
  const Tensors expected = run(in);
  for (const int threads : {2, 4}) {
    set_num_threads(threads);
    expect_same_bits(run(in), expected);
  }
  set_num_threads(before);
}

Tensors with_grad(const std::vector<Operand>& operands) {
  Tensors in = draw_all(operands, float64);
  for (size_t i = 0; i < in.size(); ++i) {
    if (operands[i].kind == Operand::Kind::real) in[i].requires_grad_();
  }
  return in;
}

TEST_P(OpRows, PassesGradcheck) {
  if (!GetParam().differentiable) GTEST_SKIP() << "not differentiable";
  EXPECT_TRUE(
      gradcheck(GetParam().f, with_grad(GetParam().operands), {.atol = 1e-8, .rtol = 1e-6}));
}

TEST_P(OpRows, PassesGradgradcheck) {
  if (!GetParam().differentiable) GTEST_SKIP() << "not differentiable";
  EXPECT_TRUE(gradgradcheck(GetParam().f, with_grad(GetParam().operands), {},
                            {.atol = 1e-7, .rtol = 1e-5}));
}

TEST_P(OpRows, ReplaysSymbolicallyWithSameBits) {
  if (!GetParam().symbolic) GTEST_SKIP() << "makes values of its own";
  const Tensors in = draw_all(GetParam().operands, float32);
  Tensors inputs;
  for (const Tensor& x : in)
    inputs.push_back(Input({}, {.batch_shape = x.shape(), .dtype = x.dtype()}));
  SymbolicModel model(inputs, GetParam().f(inputs));
  expect_same_bits(model.call(in), run(in));
}

INSTANTIATE_TEST_SUITE_P(All, OpRows, testing::ValuesIn(all_rows()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace reprise::op_rows
