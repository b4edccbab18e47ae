// Every layer against the plain ops it stands for, on a batch of none as well, and bad arguments.

#include <cmath>

#include "../../core/random.h"
#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::expect_equal;
using test::expect_near;

TEST(Layers, AreTheirFunctions) {
  manual_seed(3);
  const Tensor images = randn({2, 4, 6, 5}), rows = randn({3, 4});
  const nn::Linear fc(4, 5);
  expect_equal(fc(rows), linear(rows, fc.weight(), fc.bias()));
  const nn::Linear free(4, 5, {.bias = false});
  expect_equal(free(rows), linear(rows, free.weight()));
  const nn::Conv2d conv(4, 6, {3, 2}, {.stride = 2, .padding = 1, .dilation = 1, .groups = 2});
  expect_equal(conv(images), conv2d(images, conv.weight(), conv.bias(),
                                    {.stride = 2, .padding = 1, .dilation = 1, .groups = 2}));
  expect_equal(nn::MaxPool2d(2)(images), max_pool2d(images, 2));
  expect_equal(nn::MaxPool2d(3, {.stride = 1, .padding = 1, .dilation = 2})(images),
               max_pool2d(images, 3, {.stride = 1, .padding = 1, .dilation = 2}));
  expect_equal(nn::AvgPool2d(images.HW())(images), avg_pool2d(images, {6, 5}));
  expect_equal(nn::ReLU()(rows), relu(rows));
  expect_equal(nn::Tanh()(rows), tanh(rows));
  expect_equal(nn::Sigmoid()(rows), sigmoid(rows));
  expect_equal(nn::Softmax(-1)(rows), softmax(rows, 1));
  expect_equal(nn::LogSoftmax(0)(rows), log_softmax(rows, 0));
  expect_equal(nn::Flatten()(images), reshape(images, {2, 120}));
  expect_equal(nn::Flatten(0, 1)(images), reshape(images, {8, 6, 5}));
  expect_equal(nn::Identity()(rows), rows);
  expect_equal(nn::Sequential(fc, nn::ReLU())(rows), relu(fc(rows)));
  expect_equal(nn::Sequential()(rows), rows);
}

TEST(Layers, Losses) {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 5.0}}), y = tensor({0, 1});
  expect_equal(nn::CrossEntropyLoss()(x, y), cross_entropy(x, y));
  const CrossEntropyOptions options{.weight = tensor({1.0, 3.0}), .reduction = Reduction::sum};
  const nn::CrossEntropyLoss weighted(options);
  expect_equal(weighted(x, y), cross_entropy(x, y, options));
  EXPECT_EQ(weighted.state_dict().size(), 1u);
  EXPECT_EQ(nn::CrossEntropyLoss().state_dict().size(), 0u);
  const Tensor z = tensor({{1.0, 0.0}, {0.0, 5.0}});  // squares 0, 4, 9, 0
  EXPECT_EQ(nn::MSELoss()(x, z).item<double>(), 3.25);
  EXPECT_EQ(nn::MSELoss(Reduction::sum)(x, z).item<double>(), 13);
}

TEST(Layers, DropoutActsOnlyInTraining) {
  manual_seed(5);
  const Tensor x = ones({1000});
  nn::Dropout layer(0.25);
  double zeros = 0;
  for (const double v : layer(x).to_vector<double>()) {
    if (v == 0)
      ++zeros;
    else
      EXPECT_FLOAT_EQ(static_cast<float>(v), 1 / 0.75f);
  }
  EXPECT_NEAR(zeros, 250, 60);
  layer.eval();
  expect_equal(layer(x), x);
}

TEST(Layers, BatchNormTracksStatistics) {
  nn::BatchNorm1d norm(2, {.momentum = 0.5});
  const Tensor x = tensor({{1.0, 0.0}, {3.0, 4.0}});  // means 2 and 2, variances 1 and 4 (2 and 8)
  expect_near(norm(x), tensor({{-1.0, -1.0}, {1.0, 1.0}}), 1e-4);
  expect_near(norm.running_mean(), tensor({1.0, 1.0}), 1e-6);
  expect_near(norm.running_var(), tensor({1.5, 4.5}), 1e-6);
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 1);
  norm.eval();
  const double a = 2 / std::sqrt(1.5), b = 3 / std::sqrt(4.5);
  expect_near(norm(tensor({{3.0, 4.0}})), tensor({{a, b}}), 1e-4);
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 1);
}

TEST(Layers, BatchNormWithoutTrackingUsesTheBatch) {
  nn::BatchNorm1d norm(1, {.affine = false, .track_running_stats = false});
  EXPECT_TRUE(norm.parameters().empty() && norm.buffers().empty());
  norm.eval();
  expect_near(norm(tensor({{1.0}, {3.0}})), tensor({{-1.0}, {1.0}}), 1e-4);
}

TEST(Layers, BatchNormAveragesCumulatively) {
  nn::BatchNorm2d norm(1, {.momentum = std::nullopt});
  for (const double mean : {1.0, 2.0, 6.0}) norm(full({2, 1, 2, 2}, mean));
  expect_near(norm.running_mean(), tensor({3.0}), 1e-6);
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 3);
}

TEST(Layers, ABatchOfNoneWorks) {
  nn::Sequential net(nn::Conv2d(3, 4, 3), nn::BatchNorm2d(4), nn::ReLU(), nn::MaxPool2d(2),
                     nn::AvgPool2d(2), nn::Dropout(), nn::Flatten(), nn::Linear(4 * 2 * 2, 6),
                     nn::BatchNorm1d(6), nn::Tanh(), nn::Sigmoid(), nn::LogSoftmax(1));
  for (const bool training : {false, true}) {
    net.train(training);
    const Tensor y = net(zeros({0, 3, 10, 10}));
    EXPECT_EQ(y.shape(), (Shape{0, 6}));
    sum(y).backward();
    EXPECT_EQ(sum(abs(net.parameters()[0].grad())).item<double>(), 0);
  }
}

TEST(Layers, DtypeOption) {
  EXPECT_EQ(nn::Linear(2, 3, {.dtype = float64})(ones({1, 2}, {.dtype = float64})).dtype(),
            float64);
  EXPECT_EQ(nn::Conv2d(1, 1, 1, {.dtype = float64}).weight().dtype(), float64);
  EXPECT_EQ(nn::BatchNorm2d(3, {.dtype = float64}).running_mean().dtype(), float64);
}

TEST(Layers, BadArgumentsAreRefused) {
  const std::vector<std::pair<std::function<void()>, std::string>> rows{
      {[] { nn::Linear(0, 3); }, "Linear: expected in_features > 0, got 0"},
      {[] { nn::Linear(3, -1); }, "Linear: expected out_features > 0, got -1"},
      {[] { nn::Linear(3, 1, {.dtype = int64}); },
       "Linear: expected parameter \"weight\" of a floating-point dtype, got int64"},
      {[] { nn::Conv2d(4, 6, 3, {.groups = 3}); },
       "Conv2d: expected in_channels > 0 and divisible by groups = 3, got 4"},
      {[] { nn::Conv2d(6, 4, 3, {.groups = 3}); },
       "Conv2d: expected out_channels > 0 and divisible by groups = 3, got 4"},
      {[] { nn::Conv2d(6, 4, 3, {.groups = 0}); }, "Conv2d: expected groups > 0, got 0"},
      {[] { nn::Conv2d(1, 1, 0); }, "Conv2d: expected kernel_size > 0, got [0, 0]"},
      {[] { nn::Conv2d(1, 1, 1, {.stride = 0}); }, "Conv2d: expected stride > 0, got [0, 0]"},
      {[] { nn::Conv2d(1, 1, 1, {.padding = -1}); }, "Conv2d: expected padding >= 0, got [-1, -1]"},
      {[] {
         nn::Conv2d(1, 1, 1, {.dilation = {1, 0}});
       },
       "Conv2d: expected dilation > 0, got [1, 0]"},
      {[] { nn::MaxPool2d(0); }, "MaxPool2d: expected kernel_size > 0, got [0, 0]"},
      {[] { nn::MaxPool2d(2, {.stride = 0}); }, "MaxPool2d: expected stride > 0, got [0, 0]"},
      {[] { nn::MaxPool2d(2, {.padding = 2}); },
       "MaxPool2d: expected padding between 0 and half of kernel_size = [2, 2], got [2, 2]"},
      {[] { nn::MaxPool2d(2, {.dilation = 0}); }, "MaxPool2d: expected dilation > 0, got [0, 0]"},
      {[] { nn::AvgPool2d(2, {.divisor_override = 0}); },
       "AvgPool2d: expected divisor_override != 0, got 0"},
      {[] { nn::BatchNorm1d(0); }, "BatchNorm1d: expected num_features > 0, got 0"},
      {[] { nn::Dropout(1.5); }, "Dropout: expected p in [0, 1], got 1.5"},
      {[] {
         nn::BatchNorm2d(3)(ones({2, 3}));
       },
       "BatchNorm2d: batch_norm: expected x of 4 dimensions, got [2, 3]"},
      {[] {
         nn::BatchNorm1d(3)(ones({2, 4}));
       },
       "BatchNorm1d: batch_norm: expected x of 3 channels, got [2, 4]"},
  };
  for (const auto& [make, expected] : rows) EXPECT_EQ(error_of(make), expected);
}

}  // namespace
}  // namespace reprise
