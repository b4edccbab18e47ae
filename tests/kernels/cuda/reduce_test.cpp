// Sum and MaxDim on the device: lines and columns of every length that matters, in all layouts, and
// cut into parts.

#include "../../../core/ops/reduce.h"

#include <limits>

#include "../../../kernels/cuda/reduce_plan.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

class CudaReduce : public OnDevice {};

struct Case {
  Shape shape, dims;
};

const Case kCases[] = {
    {{}, {}},
    {{1}, {0}},
    {{0}, {0}},
    {{3, 0}, {1}},
    {{0, 3}, {1}},
    {{31}, {0}},
    {{4097}, {0}},
    {{5, 1}, {1}},
    {{300, 3}, {1}},
    {{9, 16}, {1}},
    {{7, 33}, {1}},
    {{2, 1025}, {1}},
    {{3, 5000}, {1}},
    {{2, 9001}, {1}},
    {{16, 9}, {0}},
    {{70, 4}, {0}},
    {{33, 130}, {0}},
    {{600, 5}, {0}},
    {{2, 3, 4, 5}, {1, 3}},
    {{6, 7, 8}, {0, 2}},
    {{6, 7, 8}, {0, 1, 2}},
    {{3, 200, 20}, {1}},
    {{700, 4, 7}, {1}},
    {{90, 3, 64}, {1}},
    {{50, 30, 12}, {1}},
    {{4, 70, 130}, {1}},
    {{301, 10, 49}, {0, 2}},
    {{37, 257}, {1}},
};

TEST_F(CudaReduce, SumsLikeTheCpu) {
  for (const Case& c : kCases) {
    for (const DType dtype : {float32, float64, int64, int32, uint8, bool_}) {
      expect_op_on_device(Sum{c.dims, false}, {sample(c.shape, dtype)},
                          dtype == float32 ? 1e-5 : 1e-13);
    }
    expect_op_in_16_bits(Sum{c.dims, false}, {sample(c.shape)}, 1e-5);
  }
}

TEST_F(CudaReduce, FindsExtremesLikeTheCpu) {
  for (const Case& c : kCases) {
    if (c.dims.dim() > 1 || (c.dims.dim() == 1 && c.shape[size_t(c.dims[0])] == 0)) continue;
    const int dim = c.dims.empty() ? 0 : static_cast<int>(c.dims[0]);
    for (const DType dtype : {float32, float64, int64, int32, uint8, bool_}) {
      const bool largest = dtype != float32 && dtype != uint8;
      expect_op_on_device(MaxDim{dim, false, largest}, {sample(c.shape, dtype)}, 0);
    }
    expect_op_in_16_bits(MaxDim{dim, false, true}, {sample(c.shape)}, 0);
  }
}

Tensor layout_of(const Tensor& x, int kind) { return layouts(x)[static_cast<size_t>(kind)]; }

TEST_F(CudaReduce, TakesAnyLayout) {
  const Tensor x = sample({9, 10, 44}, float32, 7);
  const Tensor there = x.cuda();
  for (int kind = 0; kind < 6; ++kind) {
    const Tensor a = layout_of(x, kind), b = layout_of(there, kind);
    for (const Dims& dims : {Dims{0}, Dims{1}, Dims{2}, Dims{0, 2}, Dims{1, 2}}) {
      expect_close(sum(b, dims).cpu(), array_of(sum(a, dims)), 1e-5);
    }
    for (const int dim : {0, 1, 2}) {
      expect_same_bits(argmax(b, dim).cpu(), argmax(a, dim));
      expect_same_bits(min(b, dim).values.cpu(), min(a, dim).values);
    }
  }
}

TEST_F(CudaReduce, FirstOfTiesAndNaN) {
  constexpr float inf = std::numeric_limits<float>::infinity(), nan = NAN;
  Tensor x = zeros({6, 3000});
  const auto set = [&](int64_t row, int64_t at, float v) { x.data<float>()[row * 3000 + at] = v; };
  set(1, 1999, nan);
  set(1, 2999, nan);
  set(2, 7, inf);
  set(3, 2000, -inf);
  x.slice(0, 4, 5).fill_(-inf);
  x.slice(0, 5, 6).fill_(inf);
  for (const Tensor& layout : {x, x.t().contiguous().t()}) {
    for (const bool largest : {true, false}) {
      expect_op_on_device(MaxDim{1, false, largest}, {layout}, 0);
    }
    expect_op_on_device(Sum{{1}, true}, {layout}, 0);
  }
}

/// Added one by one in float32, these would be off by 1e-3.
TEST_F(CudaReduce, StaysAccurateInLongSums) {
  const Tensor x = full({3 << 18}, 0.1).cuda();
  const double exact = (3 << 18) * static_cast<double>(0.1F);
  EXPECT_NEAR(sum(x).cpu().item<float>() / exact, 1, 3e-7);
  const Tensor columns = x.reshape({3 << 16, 4});
  for (const float s : sum(columns, 0).cpu().to_vector<float>()) {
    EXPECT_NEAR(4 * s / exact, 1, 3e-7);
  }
}

TEST_F(CudaReduce, WrapsAround) {
  const Tensor x = full({5000}, std::numeric_limits<int64_t>::max(), {.dtype = int64});
  expect_op_on_device(Sum{{0}, false}, {x}, 0);
}

TEST(CudaReducePlan, CutsWhatIsLong) {
  using cuda::plan_reduction;
  const auto all = plan_reduction(Meta({1 << 28}, float32), {0}, 4);
  EXPECT_TRUE(all.packs && !all.down);
  EXPECT_EQ(all.parts, 2048);
  EXPECT_EQ(all.blocks, 2048);
  const auto rows = plan_reduction(Meta({1 << 14, 1 << 14}, float32), {1}, 4);
  EXPECT_TRUE(rows.packs && !rows.down);
  EXPECT_EQ(rows.parts, 1);
  const auto columns = plan_reduction(Meta({1 << 14, 1 << 14}, float32), {0}, 4);
  EXPECT_TRUE(columns.packs && columns.down);
  EXPECT_EQ(columns.parts * columns.tiles, columns.blocks);
  EXPECT_GE(columns.blocks, 1024);
  const auto huge = plan_reduction(Meta({int64_t{1} << 40, 3}, uint8), {0}, 1);
  EXPECT_FALSE(huge.packs);
  EXPECT_GE(huge.part * huge.parts, int64_t{1} << 40);
  const auto none = plan_reduction(Meta({0, 4}, float32), {1}, 4);
  EXPECT_EQ(none.blocks, 0);
}

}  // namespace
}  // namespace reprise::op_testing
