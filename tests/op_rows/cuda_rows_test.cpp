// Every op row on the first CUDA device, or the emulated one, against the CPU.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "../../autograd/gradcheck.h"
#include "../../autograd/tape.h"
#include "../core/on_device.h"
#include "../core/same_bits.h"
#include "row_inputs.h"

namespace reprise::op_rows {
namespace {

/// Whole results equal each other; floats may differ by `tolerance`, relative to 1 or to the value.
void expect_near(const Tensors& got, const Tensors& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    ASSERT_EQ(got[k].device().kind, Device::Kind::cuda) << "output " << k;
    ASSERT_EQ(got[k].shape(), expected[k].shape()) << "output " << k;
    ASSERT_EQ(got[k].dtype(), expected[k].dtype()) << "output " << k;
    const std::vector<double> values = got[k].cpu().to_vector<double>();
    const std::vector<double> wanted = expected[k].to_vector<double>();
    const double bound = is_floating_point(expected[k].dtype()) ? tolerance : 0;
    for (size_t i = 0; i < values.size(); ++i) {
      if (std::isnan(wanted[i]) && std::isnan(values[i])) continue;
      if (values[i] == wanted[i]) continue;
      ASSERT_LE(std::abs(values[i] - wanted[i]), bound * std::max(1.0, std::abs(wanted[i])))
          << "output " << k << ", element " << i << ": " << values[i] << " for " << wanted[i];
    }
  }
}

// ---- whole numbers: sums of which are exact in any order

/// None of them 0, so that every sum that is 0 is +0.
Tensors draw_whole(const std::vector<Operand>& operands, DType real, double unit) {
  Tensors out;
  for (Operand o : operands) {
    const bool is_real = o.kind == Operand::Kind::real || o.kind == Operand::Kind::constant;
    if (is_real) o.kind = Operand::Kind::whole;
    const Tensor x = draw(o, real, 1 + out.size());
    out.push_back(is_real ? where(x == 0, 1, x) * unit : x);
  }
  return out;
}

bool is_whole(const Tensor& x) {
  return std::ranges::all_of(x.to_vector<double>(), [](double v) {
    return std::abs(v) < (1 << 24) && v == std::floor(v);  // as float32 has them all
  });
}

/// What is made of them is whole too, so float32 was exact on the way.
bool is_exact(const OpRow& row, const std::vector<Operand>& operands) {
  const NoGradGuard no_grad;
  return std::ranges::all_of(row.f(draw_whole(operands, float64, row.unit)), is_whole);
}

/// The operands of the tests and more of them: as many as an emulated device can take.
std::vector<std::vector<Operand>> exact_operands(const OpRow& row) {
  std::vector<std::vector<Operand>> out{row.operands};
  for (size_t i = 0;
       i < std::min<size_t>(row.sizes.size(), test::is_emulated(Device::cuda()) ? 1 : 2); ++i) {
    out.push_back(row.sizes[i]);
  }
  std::erase_if(out, [&](const auto& operands) { return !is_exact(row, operands); });
  return out;
}

class CudaRows : public testing::TestWithParam<OpRow> {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }

  static Tensors run(const Tensors& in) {
    const NoGradGuard no_grad;
    return GetParam().f(in);
  }
  static void expect_same_as_cpu(const Tensors& in, double tolerance) {
    Tensors there;
    for (const Tensor& x : in) there.push_back(x.cuda());
    expect_near(run(there), run(in), tolerance);
  }
  static void expect_same_as_cpu(const std::vector<Operand>& operands, DType real,
                                 double tolerance) {
    expect_same_as_cpu(draw_all(operands, real), tolerance);
  }
};

TEST_P(CudaRows, MatchInFloat32) {
  expect_same_as_cpu(GetParam().operands, float32, GetParam().tolerance);
}

TEST_P(CudaRows, MatchInFloat64) {
  expect_same_as_cpu(GetParam().operands, float64, GetParam().tolerance * 1e-7);
}

TEST_P(CudaRows, MatchInIntegers) {
  if (!GetParam().integers) GTEST_SKIP() << "for floating point only";
  for (const DType dtype : {int64, int32}) expect_same_as_cpu(GetParam().operands, dtype, 0);
}

TEST_P(CudaRows, MatchInHalf) {
  for (const DType dtype : {float16, bfloat16}) {
    const double tolerance = GetParam().tolerance + 4 * rounding_of(dtype);
    expect_same_as_cpu(GetParam().operands, dtype, tolerance);
  }
}

TEST_P(CudaRows, MatchToTheBitInWholeNumbers) {
  const auto exact = exact_operands(GetParam());
  if (exact.empty()) GTEST_SKIP() << "whole numbers give others";
  for (const auto& operands : exact) {
    for (const DType dtype : {float32, float64, float16, bfloat16}) {
      const Tensors in = draw_whole(operands, dtype, GetParam().unit), expected = run(in);
      Tensors there;
      for (const Tensor& x : in) there.push_back(x.cuda());
      const Tensors got = run(there);
      for (size_t k = 0; k < expected.size(); ++k) {
        ASSERT_EQ(got[k].dtype(), expected[k].dtype());
        ASSERT_TRUE(test::same_bits(got[k].cpu().contiguous(), expected[k].contiguous()))
            << "output " << k << " in " << to_string(dtype) << " of "
            << to_string(operands[0].shape) << '\n'
            << got[k] << "\nexpected\n"
            << expected[k];
      }
    }
  }
}

TEST_P(CudaRows, TakeAnyLayout) {
  const Tensors in = draw_all(GetParam().operands, float32);
  const Tensors expected = run(in);
  for (const auto layout : kLayouts) {
    Tensors there;
    for (const Tensor& x : in) there.push_back(layout(x.cuda()));
    const Tensors got = run(there);
    EXPECT_EQ(format_fault(GetParam(), there, got), "");
    expect_near(got, expected, GetParam().tolerance);
  }
}

TEST_P(CudaRows, TakeExpandedOperands) {
  Tensors in, there;
  for (const Operand& o : GetParam().operands) {
    Operand one = o;
    if (o.shape.dim() > 0) one.shape[0] = 1;
    const Tensor x = draw(one, float32, 1 + in.size());
    in.push_back(x.expand(o.shape));
    there.push_back(x.cuda().expand(o.shape));
  }
  expect_near(run(there), run(in), GetParam().tolerance);
}

TEST_P(CudaRows, TakeEmptyOperands) {
  if (!GetParam().any_batch) GTEST_SKIP() << "its operands have no common batch";
  std::vector<Operand> operands = GetParam().operands;
  for (Operand& o : operands) o.shape[0] = 0;
  expect_same_as_cpu(operands, float32, 0);
}

TEST_P(CudaRows, CarryNaN) {
  Tensors in = draw_all(GetParam().operands, float32);
  if (in[0].dtype() != float32) GTEST_SKIP() << "its first operand has no NaN";
  in[0].data<float>()[in[0].numel() / 2] = std::numeric_limits<float>::quiet_NaN();
  expect_same_as_cpu(in, GetParam().tolerance);
}

TEST_P(CudaRows, MatchOnAStreamOfTheirOwn) {
  const cuda::StreamGuard guard{cuda::Stream()};
  expect_same_as_cpu(GetParam().operands, float32, GetParam().tolerance);
}

/// The checker's inputs and outputs are the CPU's.
TEST_P(CudaRows, PassGradcheck) {
  if (!GetParam().differentiable) GTEST_SKIP() << "not differentiable";
  Tensors in;
  for (const Operand& o : GetParam().operands) {
    in.push_back(draw(o, float64, 1 + in.size()));
    if (o.kind == Operand::Kind::real) in.back().requires_grad_();
  }
  const auto there_and_back = [](const Tensors& x) {
    Tensors there, back;
    for (const Tensor& t : x) there.push_back(t.cuda());
    for (const Tensor& y : GetParam().f(there)) back.push_back(y.cpu());
    return back;
  };
  EXPECT_TRUE(gradcheck(there_and_back, in, {.atol = 1e-8, .rtol = 1e-6}));
}

/// The emulated device runs the threads of every other launch backwards.
TEST_P(CudaRows, GiveSameBitsAgain) {
  Tensors in;
  for (const Tensor& x : draw_all(GetParam().operands, float32)) in.push_back(x.cuda());
  Tensors expected;
  for (const Tensor& y : run(in)) expected.push_back(y.cpu());
  expect_near(run(in), expected, 0);
}

std::vector<OpRow> device_rows() {
  std::vector<OpRow> rows;
  for (OpRow& row : all_rows()) {
    if (!row.operands.empty()) rows.push_back(std::move(row));
  }
  return rows;
}

/// Rows of products and sums are among those that match to the bit.
TEST(CudaRowsInWholeNumbers, AreAllThatSum) {
  for (const char* name : {"matmul", "linear", "conv2d", "fused_conv2d", "avg_pool2d", "max_pool2d",
                           "sum", "mean", "gather", "index_select", "slice_grad"}) {
    int rows = 0;
    for (const OpRow& row : device_rows()) {
      if (!row.name.starts_with(name)) continue;
      EXPECT_TRUE(is_exact(row, row.operands)) << row.name;
      ++rows;
    }
    EXPECT_GT(rows, 0) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaRows, testing::ValuesIn(device_rows()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace reprise::op_rows
