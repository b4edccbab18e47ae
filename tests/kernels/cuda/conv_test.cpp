// Convolutions on the first CUDA device, or the emulated one, against the CPU.

#include "../../../kernels/cuda/conv_geometry.h"
#include "../../../kernels/cuda/conv_tail.h"
#include "../../../kernels/cuda/mask.h"
#include "../../../kernels/cuda/visit.h"
#include "../../core/on_device.h"
#include "conv_testing.h"

namespace reprise {
namespace {

using namespace conv_testing;

using CudaConv = test::OnDevice<testing::TestWithParam<DType>>;

TEST_P(CudaConv, AllPasses) {
  const std::vector<Case> all = cases();
  for (size_t i = 0; i < all.size(); i += is_half(GetParam()) ? 3 : 1) {
    expect_all_passes(all[i], GetParam());
  }
}

TEST_P(CudaConv, WithWhatFollows) { expect_what_follows(GetParam()); }

TEST_P(CudaConv, WritesAGradientOverItsMask) { expect_over_mask(GetParam()); }

TEST_P(CudaConv, RoundsOnlyItsSums) {
  if (is_half(GetParam())) GTEST_SKIP() << "rounds its results too";
  const double eps = GetParam() == float64 ? 1e-16 : 6e-8;
  const Case c{{5, 70, 8, 8}, {66, 70, 3, 3}, {1, 1}};
  const Tensor x = randn(c.x).to(GetParam()), w = randn(c.w).to(GetParam());
  const Tensor y = expect_same(Conv2d{c.a}, {x, w}, 630 * 3 * eps);
  expect_same(Conv2dInputGrad{c.a, x.HW()}, {y, w}, 630 * 200 * eps);
  expect_same(Conv2dWeightGrad{c.a, w.HW()}, {y, x}, 320 * 200 * eps);
}

/// As after cuDNN: neighbours that make packs, and others.
TEST_P(CudaConv, FinishesSumsInPlace) {
  for (const auto& [channels, width] : {std::pair(5, 3), {5, 8}, {16, 3}}) {
    const Shape y{2, channels, 2, width};
    const Tensor sums = whole(y, GetParam(), 1), residual = whole(y, GetParam(), 2);
    const Tensor b = whole({3, channels, 1, 1}, GetParam(), 3), factors = b.cuda();
    for (const bool last : {false, true}) {
      const auto order = [&](const Tensor& x) { return last ? in_channels_last(x) : x; };
      const Tensor there = order(sums.cuda()), more = order(residual.cuda());
      const ConvShape s{2, 1, 2, width, channels, 1, 1};
      const cuda::ConvWork work{ConvPass::forward, s, GetParam(), last};
      cuda::visit_any_floating("", GetParam(), [&]<class T>() {
        const auto* bias = static_cast<const T*>(factors.raw_data());
        const ConvTail<T> tail{.bias = bias,
                               .scale = bias + channels,
                               .shift = bias + 2 * channels,
                               .residual = static_cast<const T*>(more.raw_data()),
                               .relu = true};
        auto* const out = static_cast<T*>(there.raw_data());
        cuda::finish_conv<T>(reprise::Stream{}, work, out, 1, tail, out);
      });
      expect_tensor(there.contiguous().cpu(), relu((sums + b[0]) * b[1] + b[2] + residual));
    }
  }
}

TEST_P(CudaConv, KeepsMasksAsBits) {
  for (const int64_t n : {0, 1, 31, 32, 33, 1000}) {
    const Tensor mask = whole({n}, GetParam(), 1), x = whole({n}, GetParam(), 2);
    const Tensor there = mask.cuda(), y = x.clone().cuda();
    const Tensor bits = empty({(n + 31) / 32}, {.dtype = int32, .device = Device::cuda()});
    cuda::visit_any_floating("", GetParam(), [&]<class T>() {
      auto* const words = static_cast<uint32_t*>(bits.raw_data());
      cuda::keep_mask<T>(reprise::Stream{}, static_cast<const T*>(there.raw_data()), words, n);
      cuda::apply_mask<T>(reprise::Stream{}, words, static_cast<T*>(y.raw_data()), n);
    });
    expect_tensor(y.cpu(), where(mask > 0, x, zeros_like(x)));
  }
}

INSTANTIATE_TEST_SUITE_P(Floats, CudaConv, testing::Values(float32, float64, float16, bfloat16),
                         [](const auto& p) { return std::string(to_string(p.param)); });

}  // namespace

namespace cuda {
namespace {

TEST(CudaConvGeometry, CutsBySizesAlone) {
  const struct {
    ConvPass pass;
    ConvShape s;
    ConvCut cut;
  } rows[] = {
      {ConvPass::forward, {1, 3, 8, 8, 16, 3, 3}, {1, 1, 1, 1}},
      {ConvPass::forward, {4, 64, 9, 9, 64, 3, 3, 1, 1, 1, 1}, {1, 1, 6, 2}},
      {ConvPass::forward, {64, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1}, {1, 1, 3136, 1}},
      {ConvPass::forward, {2, 8, 6, 6, 130, 1, 1, 1, 1, 0, 0, 1, 1, 2}, {2, 2, 2, 1}},
      {ConvPass::input_grad, {2, 8, 6, 6, 8, 3, 3, 2, 3, 1, 1}, {6, 1, 1, 1}},
      {ConvPass::input_grad, {2, 8, 3, 6, 8, 3, 3, 9, 1, 4, 1}, {3, 1, 1, 1}},
      {ConvPass::weight_grad, {64, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1}, {1, 1, 9, 56}},
      {ConvPass::weight_grad, {0, 3, 8, 8, 16, 3, 3}, {1, 1, 1, 1}},
      {ConvPass::forward, {0, 3, 8, 8, 16, 3, 3}, {1, 1, 0, 1}},
  };
  for (const auto& row : rows) {
    const ConvCut cut = conv_cut(row.pass, row.s);
    EXPECT_EQ(cut.products, row.cut.products) << &row - rows;
    EXPECT_EQ(cut.row_tiles, row.cut.row_tiles) << &row - rows;
    EXPECT_EQ(cut.column_tiles, row.cut.column_tiles) << &row - rows;
    EXPECT_EQ(cut.slices, row.cut.slices) << &row - rows;
    const int64_t results = conv_results(row.pass, row.s);
    const size_t bytes = cut.slices == 1 ? 0 : static_cast<size_t>(cut.slices * results * 8);
    EXPECT_EQ(conv_slice_bytes(row.pass, row.s, float64), bytes) << &row - rows;
  }
}

TEST(CudaConvGeometry, PhasesHaveTheTapsThatTheyMeet) {
  EXPECT_EQ(PhaseAxis(9, 5, 2, 1).taps, 3);
  EXPECT_EQ(PhaseAxis(9, 5, 2, 2).taps, 5);  // a dilation of the stride: one phase has all
  EXPECT_EQ(PhaseAxis(9, 5, 6, 4).period, 3);
  EXPECT_EQ(PhaseAxis(3, 5, 6, 1).count, 3);
}

}  // namespace
}  // namespace cuda
}  // namespace reprise
