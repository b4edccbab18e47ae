// BatchNorm and BatchNormGrad against plain loops in double.

#include "norm_testing.h"

namespace reprise::op_testing {
namespace {

constexpr double kEps = 1e-5;

std::vector<Shape> shapes() {
  return {{5, 3}, {300, 40}, {4, 3, 5}, {3, 7, 40}, {2, 5, 4, 9}, {8, 65, 1, 1}, {70, 2, 28, 28}};
}

/// Over all elements of a channel: the sum of f(index).
Array per_channel(const Shape& shape, const std::function<double(const Shape&)>& f) {
  Array out({shape[1]});
  for_each_index(shape, [&](const Shape& i) { out.at({i[1]}) += f(i); });
  return out;
}

struct Statistics {
  Array mean, var;
  double count;

  explicit Statistics(const Array& x) {
    const int64_t values = x.shape.numel() / x.shape[1];
    count = static_cast<double>(values);
    mean = per_channel(x.shape, [&](const Shape& i) { return x.at(i) / count; });
    var = per_channel(x.shape, [&](const Shape& i) {
      const double d = x.at(i) - mean.at({i[1]});
      return d * d / count;
    });
  }
  double invstd(int64_t channel) const { return 1 / std::sqrt(var.at({channel}) + kEps); }
};

struct Inputs {
  Tensor x, weight, bias, running_mean, running_var, batches;

  explicit Inputs(const Tensor& data) : x(data) {
    const Shape c{data.size(1)};
    weight = sample(c, data.dtype(), 2);
    bias = sample(c, data.dtype(), 3);
    running_mean = sample(c, data.dtype(), 4);
    running_var = abs(sample(c, data.dtype(), 5));
    batches = full({}, 6);
  }
  Tensors run(double momentum = 0.1) const {
    return dispatch(Model(BatchNorm{momentum, kEps}),
                    std::array{x, weight, bias, running_mean, running_var, batches});
  }
};

void check_forward(const Tensor& x, double momentum, double m, double tolerance) {
  SCOPED_TRACE(text("x ", x.shape(), " momentum ", momentum));
  const Inputs in(x);
  const Statistics s(array_of(x));
  const Array values = array_of(x), w = array_of(in.weight), b = array_of(in.bias);
  Array y(x.shape()), invstd({x.size(1)}), mean = array_of(in.running_mean),
                                           var = array_of(in.running_var);
  for_each_index(x.shape(), [&](const Shape& i) {
    const Shape c{i[1]};
    y.at(i) = (values.at(i) - s.mean.at(c)) * s.invstd(i[1]) * w.at(c) + b.at(c);
  });
  for_each_index({x.size(1)}, [&](const Shape& c) {
    invstd.at(c) = s.invstd(c[0]);
    mean.at(c) = (1 - m) * mean.at(c) + m * s.mean.at(c);
    var.at(c) = (1 - m) * var.at(c) + m * s.var.at(c) * s.count / (s.count - 1);
  });
  const Tensors out = in.run(momentum);
  expect_close(out[0], y, tolerance);
  expect_close(out[1], s.mean, tolerance);
  expect_close(out[2], invstd, tolerance);
  expect_close(in.running_mean, mean, tolerance);
  expect_close(in.running_var, var, tolerance);
  EXPECT_EQ(in.batches.item<int64_t>(), 7);
}

TEST(BatchNorm, NormalisesAndTracks) {
  on_every_isa([] {
    for (const Shape& shape : shapes()) {
      check_forward(sample(shape), 0.1, 0.1, 1e-6);
      check_forward(sample(shape, float64), 0.1, 0.1, 1e-12);
      check_forward(sample(shape), -1, 1.0 / 7, 1e-6);  // the seventh batch of a cumulative average
    }
  });
}

TEST(BatchNorm, LargeMeansLoseNothingButTheirOwnDigits) {
  const Tensor x = sample({16, 3, 10, 10}, float64) + 1e6;
  check_forward(x, 0.1, 0.1, 1e-8);
  const Inputs in(sample({16, 3, 10, 10}) + 1024);  // float32 holds these values exactly
  const Statistics s(array_of(in.x));
  EXPECT_NEAR(in.run()[2].to_vector<double>()[1] / s.invstd(1), 1, 1e-6);
}

TEST(BatchNorm, GradientMatchesTheFormula) {
  on_every_isa([] {
    for (const Shape& shape : shapes()) {
      SCOPED_TRACE(text("x ", shape));
      for (const DType dtype : {float32, float64}) {
        const Inputs in(sample(shape, dtype));
        const Tensor gy = sample(shape, dtype, 9);
        const Tensors out = in.run();
        const Tensors got =
            dispatch(Model(BatchNormGrad{}), std::array{gy, in.x, in.weight, out[1], out[2]});
        const Array x = array_of(in.x), g = array_of(gy), w = array_of(in.weight);
        const Statistics s(x);
        const auto h = [&](const Shape& i) {
          return (x.at(i) - s.mean.at({i[1]})) * s.invstd(i[1]);
        };
        const Array gweight = per_channel(shape, [&](const Shape& i) { return g.at(i) * h(i); });
        const Array gbias = per_channel(shape, [&](const Shape& i) { return g.at(i); });
        Array gx(shape);
        for_each_index(shape, [&](const Shape& i) {
          const Shape c{i[1]};
          gx.at(i) = w.at(c) * s.invstd(i[1]) *
                     (g.at(i) - gbias.at(c) / s.count - h(i) * gweight.at(c) / s.count);
        });
        const double tolerance = dtype == float32 ? 1e-5 : 1e-11;
        expect_close(got[0], gx, tolerance);
        expect_close(got[1], gweight, tolerance);
        expect_close(got[2], gbias, tolerance);
      }
    }
  });
}

TEST(BatchNorm, EmptyBatchKeepsTheRunningStatistics) {
  const Inputs in(empty({0, 3, 4, 4}));
  const Array mean = array_of(in.running_mean), var = array_of(in.running_var);
  const Tensors out = in.run();
  EXPECT_EQ(out[0].shape(), Shape({0, 3, 4, 4}));
  expect_close(in.running_mean, mean, 0);
  expect_close(in.running_var, var, 0);
  const Tensors grads =
      dispatch(Model(BatchNormGrad{}), std::array{in.x, in.x, in.weight, out[1], out[2]});
  expect_close(grads[1], Array({3}), 0);
}

TEST(BatchNorm, NanStaysInItsChannel) {
  const Inputs in(sample({4, 3, 5, 5}));
  in.x[1][2].fill_(std::nan(""));
  const Tensor y = in.run()[0];
  EXPECT_TRUE(std::isnan(y[0][2][0][0].item<double>()));
  EXPECT_FALSE(std::isnan(sum(slice(y, 1, 0, 2)).item<double>()));
}

TEST(FusedBatchNorm, HasTheBitsOfSingleOps) {
  on_every_isa([] {
    for (const Shape& shape : shapes()) {
      for (const DType dtype : {float32, float64}) expect_bits_of_single_ops(shape, dtype);
    }
  });
}

TEST(FusedBatchNorm, LetsNanThroughAsSingleOpsDo) {
  NormOperands o({4, 3, 5, 5}, float32, Device::cpu(), contiguous_format);
  o.x[1][2].fill_(std::nan(""));
  o.residual[0][1][2].fill_(std::nan(""));
  for (const bool residual : {false, true}) expect_bits_of_single_ops(o, residual, residual);
}

TEST(BatchNorm, SameBitsOnAllThreads) {
  for (const Shape& shape : {Shape{128, 100}, {40, 16, 30, 30}}) {
    expect_same_on_threads([&] {
      const Inputs in(sample(shape));
      Tensors out = in.run();
      for (const Tensor& g :
           dispatch(Model(BatchNormGrad{}),
                    std::array{sample(shape, float32, 9), in.x, in.weight, out[1], out[2]})) {
        out.push_back(g);
      }
      out.push_back(in.running_var);
      return out;
    });
  }
}

}  // namespace
}  // namespace reprise::op_testing
