// Pooling and its gradients against plain loops.

#include "../../core/dispatch.h"
#include "../../core/ops/fused_pool.h"
#include "op_testing.h"

namespace reprise::op_testing {
namespace {

struct PoolCase {
  Shape x;
  Pair kernel, stride, padding = 0, dilation = 1;
  bool ceil_mode = false, count_include_pad = true;
  int64_t divisor = 0;
};

std::string to_string(const PoolCase& c) {
  return text("x ", c.x, " kernel ", c.kernel, " stride ", c.stride, " padding ", c.padding,
              " dilation ", c.dilation, c.ceil_mode ? " ceil" : "");
}

std::vector<PoolCase> cases() {
  std::vector<PoolCase> out;
  for (const Shape& x : {Shape{2, 3, 9, 9}, {1, 2, 7, 28}, {2, 1, 12, 70}}) {
    for (const int64_t kernel : {1, 2, 3, 5}) {
      for (const int64_t stride : {1, 2, 3, 4}) {
        for (const bool ceil : {false, true}) {
          out.push_back({x, kernel, stride, kernel / 2, 1, ceil, !ceil});
          out.push_back({x, kernel, stride, 0, 1, ceil});
        }
      }
    }
    out.push_back({x, 3, 1, 1, 2});
    out.push_back({x, 2, 2, 1, 5});  // some windows lie in the padding alone
    out.push_back({x, Pair(2, 3), Pair(3, 1), Pair(0, 1), Pair(2, 1), true, false, 7});
    out.push_back({x, Pair(x[2], x[3]), 1});
  }
  out.push_back({{1, 1, 1, 150000}, Pair(1, 140000), Pair(1, 9000)});  // beyond the scratch
  out.push_back({{1, 2, 600, 600}, 600, 1});
  return out;
}

/// Calls f(place in x) for the elements of window `i` in row-major order.
void for_window(const PoolCase& c, const Shape& i, const std::function<void(const Shape&)>& f) {
  for (int64_t kh = 0; kh < c.kernel.h; ++kh) {
    for (int64_t kw = 0; kw < c.kernel.w; ++kw) {
      const int64_t h = i[2] * c.stride.h - c.padding.h + kh * c.dilation.h;
      const int64_t w = i[3] * c.stride.w - c.padding.w + kw * c.dilation.w;
      if (h >= 0 && h < c.x[2] && w >= 0 && w < c.x[3]) f({i[0], i[1], h, w});
    }
  }
}

double plain_divisor(const PoolCase& c, const Shape& i) {
  if (c.divisor != 0) return static_cast<double>(c.divisor);
  int64_t count = 0;
  for_window(c, i, [&](const Shape&) { ++count; });
  if (!c.count_include_pad) return static_cast<double>(count);
  const int64_t top = i[2] * c.stride.h - c.padding.h, left = i[3] * c.stride.w - c.padding.w;
  const int64_t bottom = std::min(top + c.kernel.h, c.x[2] + c.padding.h);
  const int64_t right = std::min(left + c.kernel.w, c.x[3] + c.padding.w);
  return static_cast<double>((bottom - top) * (right - left));
}

MaxPool2d max_op(const PoolCase& c) {
  return {{c.kernel, c.stride, c.padding, c.dilation, c.ceil_mode}};
}
AvgPool2d average_op(const PoolCase& c) {
  return {{c.kernel, c.stride, c.padding, c.ceil_mode, c.count_include_pad, c.divisor}};
}

Tensors max_with_indices(const PoolCase& c, const Tensor& x) {
  return dispatch(Model(max_op(c)), std::array{x});
}

void check_max(const PoolCase& c, const Tensor& x) {
  SCOPED_TRACE(to_string(c));
  const Tensors got = max_with_indices(c, x);
  const Array values = array_of(x);
  Array best(got[0].shape(), -std::numeric_limits<double>::infinity()), where(best.shape, -1);
  for_each_index(best.shape, [&](const Shape& i) {
    for_window(c, i, [&](const Shape& from) {
      double& b = best.at(i);
      const double v = values.at(from);
      const bool first = where.at(i) < 0;
      if (!first && !(v > b) && !(std::isnan(v) && !std::isnan(b))) return;
      b = v;
      where.at(i) = static_cast<double>(from[2] * c.x[3] + from[3]);
    });
  });
  expect_close(got[0], best, 0);
  const Array indices = array_of(got[1]);
  for (size_t i = 0; i < where.values.size(); ++i) {
    if (where.values[i] >= 0) {
      ASSERT_EQ(indices.values[i], where.values[i]) << "at " << i;
    }
    ASSERT_GE(indices.values[i], 0);
    ASSERT_LT(indices.values[i], static_cast<double>(c.x[2] * c.x[3]));
  }
}

TEST(Pool, MaxOfAnyWindow) {
  on_every_isa([] {
    for (const PoolCase& c : cases()) {
      check_max(c, sample(c.x));
      check_max(c, (sample(c.x) * 2).to(int32).to(float64));  // many are equal
    }
  });
}

TEST(Pool, NanWinsAndInfinitiesHaveAPlace) {
  const double inf = std::numeric_limits<double>::infinity();
  on_every_isa([&] {
    for (const PoolCase& c : cases()) {
      if (c.x[3] > 100) continue;
      Tensor x = sample(c.x);
      x[0][0][1].fill_(std::nan(""));
      slice(x[0][0], 1, 5, 6).fill_(std::nan(""));
      check_max(c, x);
      check_max(c, full(c.x, -inf));
    }
  });
}

TEST(Pool, AverageOfAnyWindow) {
  on_every_isa([] {
    for (PoolCase c : cases()) {
      c.dilation = 1;
      SCOPED_TRACE(to_string(c));
      for (const DType dtype : {float32, float64}) {
        const Tensor x = sample(c.x, dtype), y = apply(average_op(c), x);
        const Array values = array_of(x);
        Array expected(y.shape());
        for_each_index(y.shape(), [&](const Shape& i) {
          for_window(c, i, [&](const Shape& from) { expected.at(i) += values.at(from); });
          expected.at(i) /= plain_divisor(c, i);
        });
        expect_close(y, expected, dtype == float32 ? 1e-6 : 1e-13);
      }
    }
  });
}

TEST(Pool, GradientsAreScattered) {
  for (PoolCase c : cases()) {
    SCOPED_TRACE(to_string(c));
    const Tensors pooled = max_with_indices(c, sample(c.x));
    const Tensor gy = sample(pooled[0].shape(), float32, 2);
    Array expected(c.x);
    const Array index = array_of(pooled[1]), gradient = array_of(gy);
    for_each_index(gy.shape(), [&](const Shape& i) {
      const auto at = static_cast<int64_t>(index.at(i));
      expected.at({i[0], i[1], at / c.x[3], at % c.x[3]}) += gradient.at(i);
    });
    const Pair size(c.x[2], c.x[3]);
    expect_close(apply(MaxPool2dGrad{max_op(c), size}, gy, pooled[1]), expected, 1e-6);
    c.dilation = 1;
    const Tensor gm = sample(apply(average_op(c), sample(c.x)).shape(), float32, 3);
    Array shares(c.x);
    const Array gradient_of_mean = array_of(gm);
    for_each_index(gm.shape(), [&](const Shape& i) {
      const double share = gradient_of_mean.at(i) / plain_divisor(c, i);
      for_window(c, i, [&](const Shape& to) { shares.at(to) += share; });
    });
    expect_close(apply(AvgPool2dGrad{average_op(c), size}, gm), shares, 1e-6);
  }
}

TEST(Pool, GatherReadsWhereTheMaximaStood) {
  const PoolCase c{{2, 3, 9, 9}, 3, 2, 1};
  const Tensor x = sample(c.x);
  const Tensors pooled = max_with_indices(c, x);
  expect_same_bits(apply(MaxPool2dGather{max_op(c)}, x, pooled[1]), pooled[0]);
}

/// Places in windows as indices into the image, and back to a gradient.
void check_small_places(const PoolCase& c, const Tensor& x) {
  SCOPED_TRACE(to_string(c));
  const MaxPool2d op = max_op(c);
  const Tensors expected = max_with_indices(c, x);
  const Tensors got = dispatch(Model(FusedMaxPool2d{op}), std::array{x});
  ASSERT_EQ(got[1].dtype(), uint8);
  expect_same_bits(got[0], expected[0]);
  const Array index = array_of(expected[1]), place = array_of(got[1]);
  for_each_index(place.shape, [&](const Shape& i) {
    const auto at = static_cast<int64_t>(place.at(i));
    const int64_t h = i[2] * c.stride.h - c.padding.h + at / c.kernel.w;
    const int64_t w = i[3] * c.stride.w - c.padding.w + at % c.kernel.w;
    ASSERT_EQ(static_cast<double>(h * c.x[3] + w), index.at(i)) << "at " << text(i);
  });
  const Tensor gy = sample(got[0].shape(), x.dtype(), 2);
  const Pair size(c.x[2], c.x[3]);
  expect_same_bits(apply(FusedMaxPool2dGrad{op, size}, gy, got[1]),
                   apply(MaxPool2dGrad{op, size}, gy, expected[1]));
}

TEST(Pool, PlacesInWindowsSayTheSameAsIndices) {
  on_every_isa([] {
    for (const PoolCase& c : cases()) {
      if (c.dilation != Pair(1) || c.kernel.h * c.kernel.w > kMostWindowPlaces) continue;
      Tensor x = sample(c.x);
      check_small_places(c, (x * 2).to(int32).to(float64));  // many are equal
      x[0][0][1].fill_(std::nan(""));
      check_small_places(c, x);
      check_small_places(c, full(c.x, -std::numeric_limits<double>::infinity()).to(float32));
    }
  });
}

TEST(Pool, PlacesOutsideOfTheWindowOrTheImageAreRefused) {
  const PoolCase c{{1, 1, 4, 4}, 3, 2, 1};  // the first window begins in the padding
  const FusedMaxPool2dGrad op{max_op(c), Pair(4, 4)};
  const Tensor gy = sample({1, 1, 2, 2});
  Tensor places = full({1, 1, 2, 2}, 4).to(uint8);
  EXPECT_NO_THROW(apply(op, gy, places));
  for (const int64_t wrong : {0, 2, 6, 9, 255}) {
    places.data<uint8_t>()[0] = static_cast<uint8_t>(wrong);
    EXPECT_THROW(apply(op, gy, places), Error) << wrong;
  }
}

TEST(Pool, EmptyBatch) {
  const PoolCase c{{0, 3, 9, 9}, 3, 3};
  const Tensors pooled = max_with_indices(c, empty(c.x));
  EXPECT_EQ(pooled[0].shape(), Shape({0, 3, 3, 3}));
  EXPECT_EQ(apply(MaxPool2dGrad{max_op(c), Pair(9, 9)}, pooled[0], pooled[1]).shape(), c.x);
  EXPECT_EQ(apply(average_op(c), empty(c.x)).shape(), Shape({0, 3, 3, 3}));
  const Tensors small = dispatch(Model(FusedMaxPool2d{max_op(c)}), std::array{empty(c.x)});
  EXPECT_EQ(apply(FusedMaxPool2dGrad{max_op(c), Pair(9, 9)}, small[0], small[1]).shape(), c.x);
}

TEST(Pool, AnImageWithoutElementsIsRefused) {
  EXPECT_THROW(max_pool2d(empty({1, 1, 0, 4}), 2, {.padding = 1}), Error);
  EXPECT_THROW(avg_pool2d(empty({1, 1, 4, 0}), 2, {.padding = 1}), Error);
}

TEST(Pool, SameBitsOnAllThreads) {
  const PoolCase c{{9, 40, 28, 28}, 3, 2, 1};
  const Tensor x = sample(c.x);
  expect_same_on_threads([&] {
    const Tensors pooled = max_with_indices(c, x);
    const Tensor mean = apply(average_op(c), x);
    const Tensors small = dispatch(Model(FusedMaxPool2d{max_op(c)}), std::array{x});
    return Tensors{pooled[0],
                   pooled[1],
                   mean,
                   apply(MaxPool2dGrad{max_op(c), Pair(28, 28)}, mean, pooled[1]),
                   small[1],
                   apply(FusedMaxPool2dGrad{max_op(c), Pair(28, 28)}, mean, small[1]),
                   apply(AvgPool2dGrad{average_op(c), Pair(28, 28)}, mean)};
  });
}

}  // namespace
}  // namespace reprise::op_testing
