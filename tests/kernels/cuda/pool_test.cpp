// Pooling on the first CUDA device, or the emulated one, has the bits of the CPU.

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../core/ops/fused_pool.h"
#include "../../core/expect.h"

namespace reprise {
namespace {

using test::expect_tensor;

struct Case {
  Shape x;
  Pair kernel, stride = 1, padding = 0, dilation = 1;
  bool ceil_mode = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) {
  return out << to_string(c.x) << " kernel " << to_string(c.kernel) << " stride "
             << to_string(c.stride) << " padding " << to_string(c.padding) << " dilation "
             << to_string(c.dilation) << (c.ceil_mode ? " ceil" : "");
}

std::vector<Case> cases() {
  return {{{2, 3, 9, 9}, 3, 3},
          {{3, 5, 33, 31}, 3, 2, 1},
          {{2, 7, 40, 37}, Pair(2, 5), Pair(3, 1), Pair(1, 2)},
          {{1, 2, 8, 6}, 3, 2, 1, 1, true},
          {{2, 2, 13, 11}, 3, 2, 1, 2},
          {{1, 1, 3, 3}, 2, 2, 1, 3, true},  // a window that has no element in the image
          {{1, 3, 17, 12}, Pair(3, 2), 1, 0, Pair(2, 3), true},
          {{4, 3, 12, 12}, 12},
          {{2, 3, 20, 23}, Pair(9, 11), Pair(4, 3), Pair(4, 5)},
          {{1, 1, 70, 80}, 2, 2},
          {{2, 8, 15, 14}, 3, 2, 1},  // packs of channels
          {{1, 16, 9, 10}, 5, 1, 2, 2, true},
          {{0, 3, 9, 9}, 3, 3}};
}

/// Few values, so that there are ties, NaN and infinities among them.
Tensor sample(const Shape& shape, DType dtype, bool extremes) {
  Tensor x = empty(shape, {.dtype = float64});
  for (int64_t i = 0; i < x.numel(); ++i) {
    const int64_t value = i * i * 7919 % 31;
    x.data<double>()[i] = static_cast<double>(value) / 4 - 3;
    if (extremes && value == 3 && i % 7 == 0) x.data<double>()[i] = std::nan("");
    if (extremes && value > 12) x.data<double>()[i] = -std::numeric_limits<double>::infinity();
  }
  return x.to(dtype);
}

/// The op on the device, in both memory formats, and on the CPU.
template <Op T>
Tensors expect_same(const T& op, const Tensors& in, double tolerance = 0) {
  const Tensors expected = dispatch(Model(op), in);
  for (const MemoryFormat format : {contiguous_format, channels_last}) {
    SCOPED_TRACE(to_string(format));
    Tensors there;
    for (const Tensor& x : in) there.push_back(x.cuda().to(format));
    const Tensors got = dispatch(Model(op), there);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(got[i].is_contiguous(there[0].meta().memory_format()));
      expect_tensor(got[i].cpu(), expected[i], tolerance);
    }
  }
  return expected;
}

class CudaPool : public testing::TestWithParam<DType> {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

TEST_P(CudaPool, FindsTheFirstMaximum) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(testing::Message() << c);
    const MaxPoolAttributes a{c.kernel, c.stride, c.padding, c.dilation, c.ceil_mode};
    for (const bool extremes : {false, true}) {
      const Tensor x = sample(c.x, GetParam(), extremes);
      const Tensors pooled = expect_same(MaxPool2d{a}, {x});
      const Tensor gy = sample(pooled[0].shape(), GetParam(), false);
      expect_same(MaxPool2dGrad{a, x.HW()}, {gy, pooled[1]});
      expect_same(MaxPool2dGather{a}, {x, pooled[1]});
      if (c.dilation != Pair(1)) continue;
      const Tensors places = expect_same(FusedMaxPool2d{a}, {x});
      expect_same(FusedMaxPool2dGrad{a, x.HW()}, {gy, places[1]});
    }
  }
}

TEST_P(CudaPool, Averages) {
  for (const Case& c : cases()) {
    if (c.dilation != Pair(1)) continue;
    SCOPED_TRACE(testing::Message() << c);
    for (const bool count : {false, true}) {
      const AvgPoolAttributes a{c.kernel, c.stride, c.padding, c.ceil_mode, count, count ? 0 : 5};
      const double eps = is_half(GetParam())     ? 1e-3
                         : GetParam() == float32 ? 1e-6
                                                 : 1e-14;  // large windows have other sums
      const bool large = c.kernel.h * c.kernel.w >= 64;
      const Tensor x = sample(c.x, GetParam(), false);
      const Tensors pooled = expect_same(AvgPool2d{a}, {x}, large ? 8 * eps : 0);
      expect_same(AvgPool2dGrad{a, x.HW()}, {sample(pooled[0].shape(), GetParam(), false)});
    }
  }
}

TEST_P(CudaPool, MovesNothingForIndicesOutside) {
  const MaxPoolAttributes a{Pair(2, 1), 1};
  const Tensor gy = ones({1, 1, 1, 3}, {.dtype = GetParam()});
  const Tensor index = tensor({{-1, 4, 6}}).to(int64).reshape({1, 1, 1, 3}).cuda();
  const Tensor gx = apply(MaxPool2dGrad{a, Pair(2, 3)}, gy.cuda(), index);
  EXPECT_ANY_THROW(cuda::synchronize());
  expect_tensor(gx.cpu(), tensor({0, 0, 0, 0, 1, 0}).to(GetParam()).reshape({1, 1, 2, 3}));
  const Tensor x = ones({1, 1, 2, 3}, {.dtype = GetParam()}).cuda();
  const Tensor nan = full({}, std::nan("")), one = ones({});
  const Tensor y = apply(MaxPool2dGather{a}, x, index);
  EXPECT_ANY_THROW(cuda::synchronize());
  expect_tensor(y.cpu(), stack({nan, one, nan}).to(GetParam()).reshape({1, 1, 1, 3}));
}

INSTANTIATE_TEST_SUITE_P(Floats, CudaPool, testing::Values(float32, float64, float16, bfloat16),
                         [](const auto& p) { return std::string(to_string(p.param)); });

}  // namespace
}  // namespace reprise
