// Convolutions on the first CUDA device, or the emulated one, against the CPU. Whole numbers make
// sums exact, so every order of adding must give the same bits.

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../core/ops/fused_conv.h"
#include "../../../kernels/cuda/conv_geometry.h"
#include "../../../kernels/cuda/conv_mask.h"
#include "../../../kernels/cuda/conv_tail.h"
#include "../../../kernels/cuda/visit.h"
#include "../../core/expect.h"

namespace reprise {
namespace {

using test::expect_tensor;

struct Case {
  Shape x, w;
  ConvAttributes a = {};
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << to_string(c.x) << " by " << to_string(c.w) << " " << Model(Conv2d{c.a}).text();
}

/// All attributes beside one another on odd sizes, and what fills several blocks.
std::vector<Case> cases() {
  std::vector<Case> out;
  for (const int64_t groups : {1, 3}) {
    for (const Pair stride : {Pair(1), Pair(2, 3)}) {
      for (const Pair padding : {Pair(0), Pair(2, 1)}) {
        for (const Pair dilation : {Pair(1), Pair(2, 3)}) {
          const ConvAttributes a{stride, padding, dilation, groups};
          out.push_back({{2, 6, 11, 13}, {9, 6 / groups, 3, 2}, a});
          out.push_back({{1, 3, 9, 10}, {6, 3 / groups, 1, 4}, a});
        }
      }
    }
  }
  for (const Case& c :
       {Case{{3, 70, 9, 9}, {67, 70, 3, 3}, {1, 1}}, Case{{2, 130, 6, 7}, {5, 130, 1, 1}},
        Case{{1, 3, 40, 37}, {65, 3, 7, 7}, {2, 3}},
        Case{{40, 8, 6, 5}, {8, 1, 3, 3}, {1, 1, 1, 8}},
        Case{{33, 4, 12, 12}, {3, 2, 5, 5}, {3, 2, 1, 2}}, Case{{0, 3, 9, 9}, {4, 3, 3, 3}},
        Case{{2, 0, 5, 5}, {4, 0, 3, 3}}, Case{{2, 3, 5, 5}, {0, 3, 3, 3}},
        Case{{2, 2, 11, 13}, {3, 2, 3, 4}, {4, 2, Pair(4, 2)}},
        Case{{1, 2, 3, 3}, {2, 2, 3, 3}, {5, 4, 3}}, Case{{4, 2, 50, 50}, {2, 2, 2, 2}, {7}}}) {
    if (c.w[0] % c.a.groups == 0) out.push_back(c);
  }
  return out;
}

/// Whole numbers in [-3, 3].
Tensor whole(const Shape& shape, DType dtype, int64_t seed) {
  Tensor x = empty(shape, {.dtype = float64});
  for (int64_t i = 0; i < x.numel(); ++i) {
    x.data<double>()[i] = static_cast<double>((i + seed) * (i + 3 * seed) % 101 % 7 - 3);
  }
  return x.to(dtype);
}

/// The same tensor with channels side by side, when it has four dimensions.
Tensor channels_last(const Tensor& x) {
  if (x.dim() != 4) return x;
  return x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
}

/// What the kernel of the device makes of operands as they lie.
template <Op T>
Tensor launch(const T& op, const Tensors& in, Tensor y) {
  Metas metas;
  SmallVector<View, 6> views;
  for (const Tensor& x : in) {
    metas.push_back(x.meta());
    views.push_back({x.raw_data(), &x.meta()});
  }
  const View out{y.raw_data(), &y.meta()};
  const auto bytes = static_cast<int64_t>(Model(op).workspace(metas, y.device()));
  const Tensor scratch = empty({bytes}, {.dtype = uint8, .device = y.device()});
  Model(op).launch(y.device(), {views, {&out, 1}, scratch.raw_data(), {}});
  return y.contiguous().cpu();
}

/// On the device the op must give the same, in either memory format.
template <Op T>
void expect_on_device(const T& op, const Tensors& in, const Tensor& expected,
                      double tolerance = 0) {
  Tensors there, last;
  for (const Tensor& x : in) there.push_back(x.cuda());
  for (const Tensor& x : there) last.push_back(channels_last(x));
  expect_tensor(dispatch(Model(op), there)[0].cpu(), expected, tolerance);
  if (in[0].numel() == 0) return;  // has no order
  SCOPED_TRACE("channels-last");
  const Tensor y = channels_last(empty_like(expected).cuda());
  expect_tensor(launch(op, last, y), expected, tolerance);
}

/// As the CPU.
template <Op T>
Tensor expect_same(const T& op, const Tensors& in, double tolerance = 0) {
  const Tensor expected = dispatch(Model(op), in)[0];
  expect_on_device(op, in, expected, tolerance);
  return expected;
}

class CudaConv : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

TEST_P(CudaConv, AllPasses) {
  const std::vector<Case> all = cases();
  for (size_t i = 0; i < all.size(); i += is_half(GetParam()) ? 3 : 1) {
    const Case& c = all[i];
    SCOPED_TRACE(testing::Message() << c);
    const Tensor x = whole(c.x, GetParam(), 1), w = whole(c.w, GetParam(), 2);
    expect_same(Conv2d{c.a}, {x, w});
    const Tensor y = expect_same(Conv2d{c.a}, {x, w, whole({c.w[0]}, GetParam(), 3)});
    const Tensor gy = whole(y.shape(), GetParam(), 4);
    expect_same(Conv2dInputGrad{c.a, x.HW()}, {gy, w});
    expect_same(FusedConv2dInputGrad{c.a, x.HW()}, {gy, w, whole(c.x, GetParam(), 5)});
    expect_same(Conv2dWeightGrad{c.a, w.HW()}, {gy, x});
  }
}

Tensor per_channel(const Tensor& x) { return x.reshape({-1, 1, 1}); }

/// Alone and in slices of the depth; as the single ops, which round values of 16 bits one by one.
TEST_P(CudaConv, WithWhatFollows) {
  for (const Case& c :
       {Case{{2, 5, 9, 10}, {7, 5, 3, 3}, {1, 1}}, Case{{1, 60, 9, 5}, {8, 60, 3, 3}, {1, 1}},
        Case{{1, 128, 6, 5}, {70, 64, 3, 3}, {1, 0, 1, 2}}}) {
    const Tensor x = whole(c.x, GetParam(), 1), w = whole(c.w, GetParam(), 2);
    const Tensor r = whole(apply(Conv2d{c.a}, x, w).shape(), GetParam(), 6);
    for (int flags = 0; flags < 16; ++flags) {
      SCOPED_TRACE(testing::Message() << c << ", " << flags);
      const bool bias = flags & 1, scale = flags & 2, residual = flags & 4;
      Tensors in{x, w};
      for (int64_t k = 0; k < int64_t{bias} + 2 * int64_t{scale}; ++k) {
        in.push_back(whole({c.w[0]}, GetParam(), 3 + k));
      }
      Tensor y = bias ? apply(Conv2d{c.a}, x, w, in[2]) : apply(Conv2d{c.a}, x, w);
      if (scale) y = y * per_channel(in[2 + size_t{bias}]) + per_channel(in.back());
      if (residual) y = y + r;
      if (residual) in.push_back(r);
      if (flags & 8) y = relu(y);
      FusedConv2d op{c.a, bias, scale, residual, flags & 8 ? Activation::relu : Activation::none};
      expect_on_device(op, in, y);
      in[1] = apply(PackConvWeight{c.a, x.HW()}, w.cuda());
      op.packed = true;
      op.weight_shape = c.w;
      for (Tensor& operand : in) operand = operand.cuda();
      expect_tensor(dispatch(Model(op), in)[0].cpu(), y);
    }
  }
}

TEST_P(CudaConv, RoundsOnlyItsSums) {
  if (is_half(GetParam())) GTEST_SKIP() << "rounds its results too";
  const double eps = GetParam() == float64 ? 1e-16 : 6e-8;
  const Case c{{5, 70, 8, 8}, {66, 70, 3, 3}, {1, 1}};
  const Tensor x = randn(c.x).to(GetParam()), w = randn(c.w).to(GetParam());
  const Tensor y = expect_same(Conv2d{c.a}, {x, w}, 630 * 3 * eps);
  expect_same(Conv2dInputGrad{c.a, x.HW()}, {y, w}, 630 * 200 * eps);
  expect_same(Conv2dWeightGrad{c.a, w.HW()}, {y, x}, 320 * 200 * eps);
}

TEST_P(CudaConv, WritesAGradientOverItsMask) {
  const Case c{{2, 70, 5, 5}, {8, 70, 3, 3}, {1, 1}};
  const Tensor gy = whole({2, 8, 5, 5}, GetParam(), 1).cuda(), w = whole(c.w, GetParam(), 2).cuda();
  Tensor y = whole(c.x, GetParam(), 3).cuda();
  const FusedConv2dInputGrad op{c.a, y.HW()};
  const Tensor expected = apply(op, gy, w, y).cpu();
  const std::array in{gy, w, y};
  dispatch(Model(op), in, &y);
  expect_tensor(y.cpu(), expected);
}

/// As after cuDNN: neighbours that make packs, and others.
TEST_P(CudaConv, FinishesSumsInPlace) {
  for (const auto& [channels, width] : {std::pair(5, 3), {5, 8}, {16, 3}}) {
    const Shape y{2, channels, 2, width};
    const Tensor sums = whole(y, GetParam(), 1), residual = whole(y, GetParam(), 2);
    const Tensor b = whole({3, channels, 1, 1}, GetParam(), 3), factors = b.cuda();
    for (const bool last : {false, true}) {
      const auto order = [&](const Tensor& x) { return last ? channels_last(x) : x; };
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

TEST(ConvGeometry, CutsBySizesAlone) {
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

TEST(ConvGeometry, PhasesHaveTheTapsThatTheyMeet) {
  EXPECT_EQ(PhaseAxis(9, 5, 2, 1).taps, 3);
  EXPECT_EQ(PhaseAxis(9, 5, 2, 2).taps, 5);  // a dilation of the stride: one phase has all
  EXPECT_EQ(PhaseAxis(9, 5, 6, 4).period, 3);
  EXPECT_EQ(PhaseAxis(3, 5, 6, 1).count, 3);
}

}  // namespace
}  // namespace cuda
}  // namespace reprise
