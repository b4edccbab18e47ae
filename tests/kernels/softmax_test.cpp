// Softmax and LogSoftmax against plain loops in double.

#include "../../core/ops/softmax.h"
#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/ops/fused_loss.h"
#include "op_testing.h"

namespace reprise::op_testing {
namespace {

Array plain_softmax(const Array& x, size_t dim, bool log) {
  Shape shape = x.shape;
  shape[dim] = 1;
  const auto line = [&](Shape i) {
    i[dim] = 0;
    return i;
  };
  Array most(shape, -std::numeric_limits<double>::infinity()), total(shape), out(x.shape);
  for_each_index(x.shape, [&](const Shape& i) {
    double& m = most.at(line(i));
    if (x.at(i) > m || std::isnan(x.at(i))) m = x.at(i);
  });
  for_each_index(
      x.shape, [&](const Shape& i) { total.at(line(i)) += std::exp(x.at(i) - most.at(line(i))); });
  for_each_index(x.shape, [&](const Shape& i) {
    const double below = x.at(i) - most.at(line(i)), sum = total.at(line(i));
    out.at(i) = log ? below - std::log(sum) : std::exp(below) / sum;
  });
  return out;
}

void check_softmax(const Tensor& x) {
  const Array values = array_of(x);
  const double tolerance = x.dtype() == float32 ? 1e-6 : 1e-14;
  for (int d = 0; d < x.dim(); ++d) {
    SCOPED_TRACE(text("softmax of ", x.shape(), " strides ", x.strides(), " over ", d));
    const auto dim = static_cast<size_t>(d);
    expect_close(softmax(x, d), plain_softmax(values, dim, false), tolerance);
    expect_close(log_softmax(x, d), plain_softmax(values, dim, true), tolerance);
  }
}

TEST(Softmax, AnyLayoutOverAnyDim) {
  on_every_isa([] {
    for (const DType dtype : {float32, float64}) {
      for (const Shape& shape : {Shape{7}, {5, 10}, {3, 6, 75}, {2, 70, 3}, {2, 5, 4, 9}}) {
        for (const Tensor& x : layouts(sample(shape, dtype) * 5)) check_softmax(x);
      }
    }
  });
}

TEST(Softmax, LongRowsAndColumns) {
  on_every_isa([] {
    check_softmax(sample({3, 5000}));
    check_softmax(sample({5000, 3}));
    check_softmax(sample({3, 5000}, float64));
  });
}

TEST(Softmax, GradientsAreThoseOfSingleOps) {
  const NoGradGuard no_grad;
  on_every_isa([] {
    for (const Shape& shape : {Shape{7}, {3, 75}, {2, 70, 3}, {3, 5000}, {2100, 5}, {2, 9, 1500}}) {
      const Tensor x = sample(shape, float64), gy = sample(shape, float64, 2);
      for (int d = 0; d < x.dim(); ++d) {
        SCOPED_TRACE(text("softmax of ", shape, " over ", d));
        const Tensor y = softmax(x, d), log_y = log_softmax(x, d);
        const Array plain = array_of(y * (gy - sum(gy * y, d, true)));
        const Array log_plain = array_of(gy - exp(log_y) * sum(gy, d, true));
        expect_close(apply(SoftmaxGrad{d, false}, y, gy), plain, 1e-14);
        expect_close(apply(SoftmaxGrad{d, true}, log_y, gy), log_plain, 1e-13);
        const Tensor y32 = y.to(float32), gy32 = gy.to(float32);
        expect_close(apply(SoftmaxGrad{d, false}, y32, gy32), plain, 1e-6);
      }
    }
  });
}

TEST(Softmax, NothingOverflowsOrVanishes) {
  check_softmax(sample({9, 20}) * 1000);
  check_softmax(sample({9, 20}) * 1000 + 1e6);
  check_softmax(full({300000}, 1.0));
}

TEST(Softmax, InfinitiesAndNanSpreadOverTheirRow) {
  const double inf = std::numeric_limits<double>::infinity();
  on_every_isa([&] {
    for (const int64_t n : {3, 40}) {
      Tensor x = sample({5, n});
      x[0].fill_(-inf);
      x[1][0].fill_(-inf);
      x[2][1].fill_(inf);
      x[3][n - 1].fill_(std::nan(""));
      check_softmax(x);
      check_softmax(x.t());
    }
  });
  EXPECT_TRUE(std::isnan(softmax(full({4}, -inf), 0)[2].item<double>()));
}

TEST(Softmax, EmptyAndScalar) {
  EXPECT_EQ(softmax(empty({0, 3}), 1).shape(), Shape({0, 3}));
  EXPECT_EQ(softmax(empty({3, 0}), 1).shape(), Shape({3, 0}));
  EXPECT_EQ(softmax(full({}, 3.0), 0).item<double>(), 1);
  EXPECT_EQ(log_softmax(full({}, 3.0), 0).item<double>(), 0);
}

TEST(Softmax, SameBitsOnAllThreads) {
  const Tensor x = sample({40, 33, 70});
  expect_same_on_threads([&] {
    return Tensors{softmax(x, 0), softmax(x, 1), softmax(x, 2), log_softmax(x, 2),
                   softmax(transpose(x, 0, 2), 1)};
  });
}

/// The same element has the same bits wherever it stands in a vector.
TEST(Softmax, PlaceDoesNotMatter) {
  on_every_isa([] {
    const Tensor row = sample({1, 37});
    const Tensor rows = softmax(expand(row, {9, 37}), 1);
    const Tensor columns = softmax(transpose(expand(row, {35, 37}), 0, 1).contiguous(), 0);
    for (int64_t i = 0; i < 9; ++i) expect_same_bits(rows[i], rows[0]);
    for (int64_t i = 0; i < 35; ++i) {
      expect_same_bits(slice(columns, 1, i, i + 1).contiguous(),
                       slice(columns, 1, 0, 1).contiguous());
    }
  });
}

TEST(Softmax, PickedLogProbabilitiesHaveTheSameBits) {
  on_every_isa([] {
    for (const DType dtype : {float32, float64, float16}) {
      for (const Shape& shape : {Shape{50, 37}, Shape{3, 1}, Shape{4, 21, 9}}) {
        const Tensor x = sample(shape, dtype) * 5, y = log_softmax(x, 1);
        Shape one = shape;
        one[1] = 1;
        Tensor index = zeros(one, {.dtype = int64});
        for (int64_t i = 0; i < index.numel(); ++i) index.data<int64_t>()[i] = i * 7 % shape[1];
        const Tensors picked = dispatch(Model(LogSoftmaxGather{1}), std::array{x, index});
        expect_same_bits(picked[0], gather(y, 1, index));
        if (is_half(dtype)) continue;  // log_softmax was rounded on the way
        const Tensor g = sample(one, dtype, 3);
        const Tensor grad = apply(LogSoftmaxGatherGrad{1}, y, index, g);
        const LogSoftmaxGatherGrad op{1};
        expect_same_bits(apply(op, x, index, g, picked[1], picked[2]), grad);
        const Tensor across = x.transpose(0, 1).contiguous().transpose(0, 1);
        expect_same_bits(apply(op, across, index, g, picked[1], picked[2]), grad);
      }
    }
  });
}

}  // namespace
}  // namespace reprise::op_testing
