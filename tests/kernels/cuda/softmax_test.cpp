// Softmax on the device: rows kept by lanes, warps and blocks, columns, and lines that are reduced
// first.

#include "../../../core/ops/softmax.h"

#include "device_testing.h"

namespace reprise::op_testing {
namespace {

class CudaSoftmax : public OnDevice {};

struct Case {
  Shape shape;
  int dim;
};

// 36864 floats, or 18432 doubles, take 48 KiB of shared memory besides what reductions take.
const Case kCases[] = {
    {{}, 0},           {{0, 4}, 1},       {{1}, 0},          {{300, 3}, 1},     {{9, 16}, 1},
    {{7, 33}, 1},      {{3, 511}, 1},     {{2, 520}, 1},     {{2, 4100}, 1},    {{1, 40000}, 0},
    {{1, 36864}, 1},   {{1, 18432}, 1},   {{2, 32772}, 1},   {{1, 70001}, 1},   {{3, 5, 7}, 1},
    {{2, 60, 36}, 1},  {{2, 100, 36}, 1}, {{3, 300, 8}, 1},  {{2, 2500, 5}, 1}, {{600, 4}, 0},
    {{2, 130, 3}, 1},  {{40, 260}, 0},    {{1, 700, 16}, 1}, {{1, 1030, 9}, 1}, {{1, 3000, 4}, 1},
    {{2, 24580}, 1},   {{2, 12288}, 1},   {{3, 12292}, 1},   {{0, 3, 2}, 1},    {{2, 3, 0}, 1},
    {{1, 3, 4, 5}, 1}, {{2, 100, 6}, 1},  {{1, 1500, 34}, 1}};

// The most that columns may have, and one more: in registers, in shared memory besides as lines of
// the cache, halves and quarters of them; for packs and, with odd sizes, single elements.
const Case kLongColumns[] = {{{1, 1024, 16}, 1}, {{1, 1025, 32}, 1}, {{1, 2240, 32}, 1},
                             {{1, 2241, 32}, 1}, {{2, 4480, 18}, 1}, {{1, 4481, 18}, 1},
                             {{1, 8960, 8}, 1},  {{1, 8961, 8}, 1},  {{1, 2016, 31}, 1},
                             {{1, 2017, 31}, 1}, {{1, 4033, 17}, 1}, {{1, 8064, 7}, 1},
                             {{1, 8065, 7}, 1},  {{1, 35840, 2}, 1}, {{1, 35841, 2}, 1}};

void expect_as_on_the_cpu(std::span<const Case> cases) {
  for (const Case& c : cases) {
    for (const DType dtype : {float32, float64}) {
      const Tensor x = sample(c.shape, dtype) * 4;
      const double tolerance = dtype == float32 ? 2e-6 : 1e-14;
      expect_op_on_device(Softmax{c.dim}, {x}, tolerance);
      expect_op_on_device(LogSoftmax{c.dim}, {x}, tolerance * 4);
      const Tensor gy = sample(c.shape, dtype, 2);
      expect_op_on_device(SoftmaxGrad{c.dim, false}, {softmax(x, c.dim), gy}, tolerance);
      expect_op_on_device(SoftmaxGrad{c.dim, true}, {log_softmax(x, c.dim), gy}, tolerance * 4);
    }
    expect_op_in_16_bits(Softmax{c.dim}, {sample(c.shape)}, 1e-5);
    expect_op_in_16_bits(LogSoftmax{c.dim}, {sample(c.shape)}, 1e-5);
    const Tensor y = log_softmax(sample(c.shape), c.dim), gy = sample(c.shape, float32, 2);
    expect_op_in_16_bits(SoftmaxGrad{c.dim, true}, {y, gy}, 1e-5);
    expect_op_in_16_bits(SoftmaxGrad{c.dim, false}, {exp(y), gy}, 1e-5);
  }
}

TEST_F(CudaSoftmax, MatchesTheCpu) { expect_as_on_the_cpu(kCases); }
TEST_F(CudaSoftmax, MatchesTheCpuInLongColumns) { expect_as_on_the_cpu(kLongColumns); }

TEST_F(CudaSoftmax, BitsDoNotFollowAddresses) {
  for (const DType dtype : {float32, float64, bfloat16}) {
    for (const Case& c : {Case{{3, 520}, 1},
                          {{2, 4100}, 1},
                          {{2, 60, 36}, 1},
                          {{1, 700, 16}, 1},
                          {{1, 2100, 16}, 1},
                          {{1, 9000, 8}, 1},
                          {{1, 40000}, 1}}) {
      const Tensor x = sample(c.shape).to(dtype).cuda();
      const Tensor one_on =
          cat({x.flatten().slice(0, 0, 1), x.flatten()}).slice(0, 1, x.numel() + 1);
      expect_same_bits(softmax(one_on.view(c.shape), c.dim).cpu(), softmax(x, c.dim).cpu());
    }
  }
}

/// Rows of: -inf first; -inf alone; one inf; NaN; large values.
TEST_F(CudaSoftmax, InfinitiesAndNaN) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  for (const int64_t n : {5, 36, 1200, 4100, 40000}) {
    Tensor x = sample({5, n});
    x.slice(0, 0, 1).slice(1, 0, n - 2).fill_(-inf);
    x.slice(0, 1, 2).fill_(-inf);
    x.slice(0, 2, 3).slice(1, 2, 3).fill_(inf);
    x.slice(0, 3, 4).slice(1, n - 1, n).fill_(NAN);
    x.slice(0, 4, 5).add_(1e30);
    const Tensor columns = x.t().contiguous();
    for (const auto& [layout, dim] : {std::pair(x, 1), std::pair(columns, 0)}) {
      expect_op_on_device(Softmax{dim}, {layout}, 1e-6);
      expect_op_on_device(LogSoftmax{dim}, {layout}, 1e-6);
    }
  }
}

TEST_F(CudaSoftmax, TakesAnyLayout) {
  const Tensor x = sample({6, 70, 12}, float32, 3);
  for (const Tensor& layout : layouts(x)) {
    const Tensor there = layout.cuda();
    for (const int dim : {0, 1, 2}) {
      expect_close(softmax(there, dim).cpu(), array_of(softmax(layout, dim)), 1e-6);
    }
  }
  const Tensor apart = x.flatten().cuda().slice(0, 1, 5);  // dense, but not aligned
  expect_close(softmax(apart, 0).cpu(), array_of(softmax(x.flatten().slice(0, 1, 5), 0)), 1e-6);
  const Tensor across = x.cuda().transpose(0, 2);
  expect_close(softmax(across, 0).cpu(), array_of(softmax(x.transpose(0, 2), 0)), 1e-6);
}

}  // namespace
}  // namespace reprise::op_testing
