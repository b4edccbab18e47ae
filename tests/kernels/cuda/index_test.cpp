// Ops with indices on the device: every way their kernels go, and indices out of range.

#include "../../../core/ops/index.h"

#include <algorithm>

#include "../../../core/ops/fused_loss.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

class CudaIndex : public OnDevice {};

/// Indices in [least, size).
Tensor indices(const Shape& shape, int64_t least, int64_t size, uint64_t seed = 5) {
  Tensor out = empty(shape, {.dtype = int64});
  std::mt19937_64 random(seed);
  for (int64_t i = 0; i < out.numel(); ++i) {
    out.data<int64_t>()[i] = least + static_cast<int64_t>(random() % uint64_t(size - least));
  }
  return out;
}

struct Case {
  Shape x, index;
  int dim;
};
// The last ones are sorted: a few long lines, whose keys fill tiles in part, whole and several.
const Case kCases[] = {{{}, {}, 0},
                       {{4}, {0}, 0},
                       {{5, 4}, {5, 6}, 1},
                       {{6, 5}, {3, 2}, 0},
                       {{300, 10}, {300, 1}, 1},
                       {{3, 70, 4}, {2, 65, 3}, 1},
                       {{9}, {2048}, 0},
                       {{100, 2}, {5000, 2}, 0}};

TEST_F(CudaIndex, GathersLikeTheCpu) {
  for (const Case& c : kCases) {
    const int64_t size = c.x.empty() ? 1 : c.x[static_cast<size_t>(c.dim)];
    const Tensor index = indices(c.index, 0, size);
    for (const DType dtype : {float32, float64, int32, uint8, bool_}) {
      expect_op_on_device(Gather{c.dim}, {sample(c.x, dtype), index}, 0);
    }
    for (const DType dtype : {float32, float64}) {
      expect_op_on_device(GatherGrad{c.dim, c.x}, {sample(c.index, dtype), index}, 0);
    }
    expect_op_in_16_bits(Gather{c.dim}, {sample(c.x), index}, 0);
    expect_op_in_16_bits(GatherGrad{c.dim, c.x}, {sample(c.index), index}, 0);
  }
}

TEST_F(CudaIndex, SelectsLikeTheCpu) {
  for (const int dim : {0, 1, 2}) {
    for (const int64_t n : {0, 1, 64, 65, 3000}) {
      const Tensor x = sample({3, 5, 8}), index = indices({n}, -x.size(dim), x.size(dim));
      Shape shape = x.shape();
      shape[static_cast<size_t>(dim)] = n;
      for (const Tensor& layout : {x, x.transpose(0, 2).contiguous().transpose(0, 2)}) {
        expect_op_on_device(IndexSelect{dim}, {layout, index}, 0);
      }
      expect_op_on_device(IndexSelect{dim}, {x.to(uint8), index}, 0);
      expect_op_on_device(IndexSelectGrad{dim, x.size(dim)}, {sample(shape), index}, 0);
      expect_op_in_16_bits(IndexSelectGrad{dim, x.size(dim)}, {sample(shape), index}, 0);
    }
  }
}

/// Runs of equal indices that begin and end anywhere among the chunks of sorted terms.
TEST_F(CudaIndex, SumsFrequentIndices) {
  for (const auto& [n, rare] : {std::pair(257, 0), std::pair(2000, 300), std::pair(5000, 1),
                                std::pair(1024, 256), std::pair(1100, 511)}) {
    Tensor index = full({n}, 2, {.dtype = int64});
    for (int64_t i = 0; i < rare; ++i) index.data<int64_t>()[i * 3 % n] = i % 2 * 3 - 1;
    for (const int64_t width : {1, 3, 40}) {
      expect_op_on_device(IndexSelectGrad{0, 5}, {sample({n, width}), index}, 0);
      expect_op_in_16_bits(IndexSelectGrad{0, 5}, {sample({n, width}), index}, 0);
    }
  }
}

/// Waits, for the fault of a kernel is expected.
void expect_fault() { EXPECT_ANY_THROW(cuda::synchronize()); }

TEST_F(CudaIndex, LeavesOutWhatIsOutOfRange) {
  const Tensor x = sample({3, 4}).cuda(), g = ones({3, 2}).cuda();
  Tensor index = zeros({3, 2}, {.dtype = int64});
  for (const int64_t wrong : {int64_t{4}, int64_t{-5}, int64_t{1} << 40}) {
    index.data<int64_t>()[3] = wrong;
    const Tensor there = index.cuda();
    const Tensor got = apply(Gather{1}, x, there), grad = apply(GatherGrad{1, {3, 4}}, g, there);
    expect_fault();
    EXPECT_EQ(got.cpu().data<float>()[3], 0);
    EXPECT_EQ(got.cpu().data<float>()[2], x.cpu().data<float>()[4]);
    EXPECT_EQ(grad.to_vector<float>(), (std::vector<float>{2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}));
  }
  Tensor list = zeros({100}, {.dtype = int64});
  list.data<int64_t>()[7] = 99;
  const Tensor sums = apply(IndexSelectGrad{0, 4}, ones({100, 2}).cuda(), list.cuda());
  expect_fault();
  EXPECT_EQ(sums.to_vector<float>(), (std::vector<float>{99, 99, 0, 0, 0, 0, 0, 0}));
}

TEST_F(CudaIndex, PicksLogProbabilitiesLikeTheCpu) {
  for (const Shape& shape : {Shape{1, 1}, Shape{300, 10}, Shape{70, 1000}, Shape{5, 7, 4},
                             Shape{3, 1030, 3}, Shape{2, 20011}, Shape{0, 4}}) {
    Shape one = shape;
    one[1] = 1;
    const Tensor y = log_softmax(sample(shape), 1), g = sample(one, float32, 2);
    const Tensor index = indices(one, 0, shape[1]);
    for (const Tensor& layout : layouts(y)) {
      if (layout.shape() != shape) continue;
      expect_op_on_device(LogSoftmaxGatherGrad{1}, {layout, index, g}, 1e-6);
    }
    expect_op_on_device(LogSoftmaxGatherGrad{1}, {y, index, g.slice(0, 0, 1).expand(one)}, 1e-6);
    expect_op_in_16_bits(LogSoftmaxGatherGrad{1}, {y, index, g}, 1e-6);
    const Tensor x = sample(shape) * 4 + 100;
    const Tensors lines = dispatch(Model(LogSoftmaxGather{1}), std::array{x, index});
    for (const Tensor& layout : layouts(x)) {
      if (layout.shape() != shape) continue;
      expect_op_on_device(LogSoftmaxGather{1}, {layout, index}, 4e-6);
      expect_op_on_device(LogSoftmaxGatherGrad{1}, {layout, index, g, lines[1], lines[2]}, 1e-5);
    }
    expect_op_in_16_bits(LogSoftmaxGather{1}, {sample(shape), index}, 4e-6);
    expect_op_on_device(LogSoftmaxGather{1}, {x.to(float64), index}, 1e-14);
    expect_op_on_device(LogSoftmaxGatherGrad{1}, {y.to(float64), index, g.to(float64)}, 1e-15);
  }
}

}  // namespace
}  // namespace reprise::op_testing
