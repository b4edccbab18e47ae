// A batch of no samples goes through every layer and model, forward and backward.

#include <gtest/gtest.h>

#include "../../layers/nn.h"
#include "../../optim/sgd.h"
#include "../graph/example_models.h"

namespace reprise {
namespace {

struct Row {
  std::shared_ptr<nn::Module> layer;
  Shape x, y;
};

template <class L>
Row row(L layer, const Shape& x, const Shape& y) {
  return {layer.share(), x, y};
}

/// Gradients of parameters are zero, that of x is as empty as x.
void expect_gradients(const nn::Module& layer, const Tensor& x) {
  EXPECT_EQ(to_string(x.grad().shape()), to_string(x.shape()));
  for (const auto& [name, parameter] : layer.named_parameters()) {
    EXPECT_EQ(to_string(parameter.grad().shape()), to_string(parameter.shape())) << name;
    EXPECT_EQ(sum(abs(parameter.grad())).item<double>(), 0) << name;
  }
}

TEST(BatchZero, EveryLayer) {
  const std::vector<Row> rows{
      row(nn::Linear(3, 2), {0, 3}, {0, 2}),
      row(nn::Linear(3, 2), {4, 0, 3}, {4, 0, 2}),
      row(nn::Conv2d(3, 4, 3), {0, 3, 8, 8}, {0, 4, 6, 6}),
      row(nn::Conv2d(4, 4, 3, {.stride = 2, .padding = 1, .groups = 4}), {0, 4, 8, 8},
          {0, 4, 4, 4}),
      row(nn::MaxPool2d(2), {0, 3, 8, 8}, {0, 3, 4, 4}),
      row(nn::AvgPool2d(2), {0, 3, 8, 8}, {0, 3, 4, 4}),
      row(nn::BatchNorm1d(3), {0, 3}, {0, 3}),
      row(nn::BatchNorm1d(3), {0, 3, 5}, {0, 3, 5}),
      row(nn::BatchNorm2d(3), {0, 3, 4, 4}, {0, 3, 4, 4}),
      row(nn::ReLU(), {0, 3}, {0, 3}),
      row(nn::Tanh(), {0, 3}, {0, 3}),
      row(nn::Sigmoid(), {0, 3}, {0, 3}),
      row(nn::Softmax(1), {0, 3}, {0, 3}),
      row(nn::LogSoftmax(1), {0, 3}, {0, 3}),
      row(nn::Dropout(0.5), {0, 3}, {0, 3}),
      row(nn::Identity(), {0, 3}, {0, 3}),
      row(nn::Flatten(), {0, 3, 4}, {0, 12}),
      row(nn::Sequential(nn::Linear(3, 4), nn::ReLU(), nn::Linear(4, 2)), {0, 3}, {0, 2}),
  };
  for (const Row& r : rows) {
    for (const bool training : {true, false}) {
      SCOPED_TRACE(text(r.layer->name(), training ? " in training" : " in eval mode"));
      r.layer->train(training);
      r.layer->zero_grad();
      const Tensor x = zeros(r.x, {.requires_grad = true}), y = (*r.layer)(x);
      EXPECT_EQ(to_string(y.shape()), to_string(r.y));
      sum(y).backward();
      expect_gradients(*r.layer, x);
    }
  }
}

TEST(BatchZero, LeavesTheRunningStatisticsFinite) {
  nn::BatchNorm1d norm(3);
  norm(zeros({0, 3}));
  for (const Tensor& buffer : norm.buffers()) {
    const Tensor value = sum(buffer.to(float64));
    EXPECT_EQ(value.item<double>(), value.item<double>()) << "is NaN";
  }
}

TEST(BatchZero, Losses) {
  const Tensor x = zeros({0, 3}, {.requires_grad = true}), y = zeros({0}, {.dtype = int64});
  const auto loss = [&](Reduction r) { return cross_entropy(x, y, {.reduction = r}); };
  EXPECT_EQ(loss(Reduction::sum).item<double>(), 0);
  EXPECT_EQ(loss(Reduction::none).shape(), (Shape{0}));
  EXPECT_TRUE(std::isnan(loss(Reduction::mean).item<double>()));  // as in PyTorch
  loss(Reduction::mean).backward();
  EXPECT_EQ(x.grad().shape(), (Shape{0, 3}));
  EXPECT_EQ(mse_loss(x, x, Reduction::sum).item<double>(), 0);
}

void check_model(SymbolicModel model, const Shape& shape) {
  const Tensor x = zeros(shape, {.requires_grad = true}), y = model(x);
  EXPECT_EQ(to_string(y.shape()), "[0, 10]");
  cross_entropy(y, zeros({0}, {.dtype = int64}), {.reduction = Reduction::sum}).backward();
  expect_gradients(model, x);
  optim::SGD(model.parameters(), {.lr = 0.1}).step();
}

TEST(BatchZero, Models) {
  check_model(test::toy_resnet(), {0, 3, 32, 32});
  check_model(test::net(), {0, 1, 28, 28});
}

}  // namespace
}  // namespace reprise
