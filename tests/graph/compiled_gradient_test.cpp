// Gradients through a compiled model: the same bits as layer by layer, what is refused.

#include <gtest/gtest.h>

#include <thread>

#include "../../autograd/engine.h"
#include "../../autograd/function.h"
#include "../../autograd/tape.h"
#include "../../optim/adam.h"
#include "../../optim/sgd.h"
#include "../core/expect.h"
#include "compiled_models.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::contains, test::difference, test::exact, test::expect_error, test::gradients;

void expect_compiled(const SymbolicModel& model) {
  const std::string report = model.compile_report();
  EXPECT_TRUE(contains(report, "backward of")) << report;
  EXPECT_FALSE(contains(report, "layer by layer")) << report;
}

SymbolicModel small_model() {
  manual_seed(4);
  const Tensor x = Input({3});
  return SymbolicModel(x, nn::Linear(4, 2)(nn::Tanh()(nn::Linear(3, 4)(x))));
}

TEST(CompiledGradient, HasTheSameBits) {
  SymbolicModel model = test::busy_model();
  const Tensor x = randn({5, 6, 4});
  for (const std::vector<size_t>& used : std::vector<std::vector<size_t>>{{0, 1}, {0}, {1}}) {
    for (bool training : {true, false}) {
      model.train(training);
      model.decompile();
      const Tensors expected = gradients(model, x, used);
      model.compile(exact());
      for (int i = 0; i < 2; ++i) EXPECT_EQ(difference(gradients(model, x, used), expected), "");
      expect_compiled(model);
      model.compile();
      const Tensors fused = gradients(model, x, used);
      EXPECT_EQ(difference(fused, expected), "");
    }
  }
}

TEST(CompiledGradient, OfResNetHasTheSameBits) {
  for (SymbolicModel model : {test::toy_resnet(), test::net()}) {
    const bool images = model.input_shape()[1] == 3;
    const Tensor x = images ? randn({2, 3, 32, 32}) : randn({2, 1, 28, 28});
    const Tensors expected = gradients(model, x, {0});
    model.compile(exact());
    EXPECT_EQ(difference(gradients(model, x, {0}), expected), "");
    model.compile(exact({.batch_sizes = {4}, .train = true}));
    EXPECT_EQ(difference(gradients(model, x, {0}), expected), "");
    expect_compiled(model);
  }
}

TEST(CompiledGradient, OfSomeOfManyOutputs) {
  const Tensor x = Input({3});
  nn::Linear layer(3, 3);
  const Tensor h = layer(x);
  SymbolicModel model(x, {h.exp(), h.tanh(), x, sqrt(relu(h))});  // sqrt: 0 * inf if it were used
  const Tensor data = randn({4, 3});
  for (const std::vector<size_t>& used :
       std::vector<std::vector<size_t>>{{0}, {2}, {0, 1}, {1, 2}, {0, 1, 2}}) {
    model.decompile();
    const Tensors expected = gradients(model, data, used);
    model.compile(exact());
    const Tensors got = gradients(model, data, used);
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i].defined(), expected[i].defined());
      if (got[i].defined()) test::expect_tensor(got[i], expected[i], 1e-4);
    }
    EXPECT_TRUE(used.size() > 1 || difference(got, expected).empty());
    expect_compiled(model);
  }
}

TEST(CompiledGradient, OfConstantsAndFrozenParameters) {
  const Tensor x = Input({2}), scale = tensor({2., 3.}, {.requires_grad = true});
  nn::Linear layer(2, 2);
  SymbolicModel model(x, layer(x) * scale + tensor({1., 1.}));
  const Tensor data = ones({4, 2});
  const auto run = [&] {
    scale.set_grad({});
    model.zero_grad();
    model(data).sum().backward();
    return Tensors{scale.grad(), layer.weight().grad(), layer.bias().grad()};
  };
  for (bool frozen : {false, true}) {
    Tensor(layer.weight()).requires_grad_(!frozen);
    model.decompile();
    const Tensors expected = run();
    EXPECT_EQ(expected[1].defined(), !frozen);
    model.compile(exact());
    EXPECT_EQ(difference(run(), expected), "");
    expect_compiled(model);
  }
}

template <class Optimizer>
void expect_same_training(const Optimizer& make, const ModelCompileOptions& options,
                          double tolerance) {
  std::vector<Tensors> trained;
  for (bool compiled : {false, true}) {
    manual_seed(9);
    SymbolicModel model = test::busy_model();
    if (compiled) model.compile(options);
    auto optimizer = make(model);
    const Tensor x = randn({16, 6, 4}), target = rand({16, 3});
    Tensors values;
    for (int step = 0; step < 20; ++step) {
      optimizer.zero_grad();
      const Tensors out = model.outputs(x);
      Tensor loss = mse_loss(out[0], target) + mse_loss(out[1], target);
      loss.backward();
      optimizer.step();
      values.push_back(loss.detach());
    }
    for (const auto& [name, tensor] : model.state_dict()) values.push_back(tensor);
    trained.push_back(values);
    if (compiled) expect_compiled(model);
  }
  for (size_t i = 0; i < trained[0].size(); ++i) {
    test::expect_tensor(trained[1][i], trained[0][i], tolerance);
  }
}

TEST(CompiledGradient, TwentyStepsOfTraining) {
  const auto sgd = [](SymbolicModel& m) {
    return optim::SGD(m.parameters(), {.lr = 0.1, .momentum = 0.9});
  };
  const auto adam = [](SymbolicModel& m) { return optim::Adam(m.parameters(), {.lr = 0.01}); };
  expect_same_training(sgd, exact(), 0);
  expect_same_training(adam, exact(), 0);
  expect_same_training(sgd, {}, 1e-4);
}

TEST(CompiledGradient, StatisticsMoveOncePerForward) {
  nn::BatchNorm1d norm(3);
  const Tensor x = Input({3});
  SymbolicModel model(x, norm(x));
  model.compile({.batch_sizes = {8}, .train = true});
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 0);
  const Tensor y = model(randn({8, 3}));
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 1);
  y.sum().backward();
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 1);
}

TEST(CompiledGradient, SeveralForwardsBeforeOneBackward) {
  SymbolicModel model = small_model();
  const Tensor a = randn({4, 3}), b = randn({4, 3}), c = randn({2, 3});
  const auto run = [&] {
    model.zero_grad();
    const Tensor ya = model(a), yb = model(b), yc = model(c);
    ((ya * yb).sum() + yc.sum()).backward();
    Tensors out;
    for (const Tensor& p : model.parameters()) out.push_back(p.grad());
    return out;
  };
  const Tensors expected = run();
  model.compile(exact());
  EXPECT_EQ(difference(run(), expected), "");
  EXPECT_EQ(difference(run(), expected), "");
}

TEST(CompiledGradient, OfModelsInARow) {
  SymbolicModel first = small_model();
  const Tensor x = Input({2});
  SymbolicModel second(x, nn::Linear(2, 2)(relu(x)));
  const Tensor data = randn({4, 3});
  const auto run = [&] {
    first.zero_grad();
    second.zero_grad();
    const Tensor h = first(data);
    second(h.t().contiguous().t() + h * h).sum().backward();
    Tensors out;
    for (const Tensor& p : first.parameters()) out.push_back(p.grad());
    for (const Tensor& p : second.parameters()) out.push_back(p.grad());
    return out;
  };
  const Tensors expected = run();
  first.compile(exact());
  second.compile(exact());
  EXPECT_EQ(difference(run(), expected), "");
  expect_compiled(first);
  expect_compiled(second);
}

TEST(CompiledGradient, OfAnEmptyBatch) {
  SymbolicModel model = small_model();
  model.compile();
  model(zeros({0, 3})).sum().backward();
  test::expect_tensor(model.parameters()[0].grad(), zeros({4, 3}));
  expect_compiled(model);
}

TEST(CompiledGradient, OutlivesTheProgramsOfTheModel) {
  SymbolicModel model = small_model();
  const Tensor x = randn({4, 3});
  model(x).sum().backward();
  const Tensor expected = model.parameters()[0].grad();
  model.zero_grad();
  model.compile(exact());
  const Tensor y = model(x);
  model.decompile();
  y.sum().backward();
  EXPECT_EQ(difference(model.parameters()[0].grad(), expected), "");
}

TEST(CompiledGradient, TheTapeIsReleasedAndRetainedAsEver) {
  SymbolicModel model = small_model();
  model.compile();
  const Tensor y = model(randn({4, 3})).sum();
  y.backward({}, {.retain_graph = true});
  const Tensor once = model.parameters()[0].grad().clone();
  y.backward();
  test::expect_tensor(model.parameters()[0].grad(), once * 2, 1e-6);
  expect_error([&] { y.backward(); }, ErrorKind::Autograd, {"released"});
}

TEST(CompiledGradient, HasNoHistory) {
  SymbolicModel model = small_model();
  model.compile();
  const Tensor x = randn({4, 3}).requires_grad_();
  expect_error([&] { grad({model(x).sum()}, {x}, {.create_graph = true}); }, ErrorKind::Autograd,
               {"create_graph", "decompile()"});
  model.decompile();
  const Tensors gx = grad({model(x).sum()}, {x}, {.create_graph = true});
  EXPECT_TRUE(gx[0].requires_grad());
}

TEST(CompiledGradient, WhatChangedInPlaceIsRefused) {
  SymbolicModel model = small_model();
  model.compile();
  const Tensor x = randn({4, 3});
  const auto change = [&](const Tensor& t) {
    const NoGradGuard no_grad;
    Tensor(t).mul_(2);
  };
  Tensor y = model(x);
  change(model.parameters()[2]);
  expect_error([&] { y.sum().backward(); }, ErrorKind::Autograd,
               {"parameter", "[2, 4]", "changed"});
  y = model(x);
  change(x);
  expect_error([&] { y.sum().backward(); }, ErrorKind::Autograd, {"[4, 3]", "changed in place"});
  y = model(x);
  change(model.parameters()[3]);  // the bias of the last layer is not needed
  y.sum().backward();
}

TEST(CompiledGradient, HooksOnGradients) {
  SymbolicModel model = small_model();
  const Tensor x = randn({4, 3}), weight = model.parameters()[0];
  model(x).sum().backward();
  const Tensor expected = weight.grad() * 2;
  model.compile(exact());
  model(x);
  weight.register_hook([](const Tensor& g) { return g * 2; });
  for (bool again : {false, true}) {
    if (again) model.compile(exact());
    model.zero_grad();
    model(x).sum().backward();
    EXPECT_EQ(difference(weight.grad(), expected), "");
  }
  EXPECT_TRUE(contains(model.compile_report(), "gradient hook")) << model.compile_report();
}

/// Counts its backwards where a program would have to write into memory from outside.
struct CountingFunction {
  Tensor count;
  static constexpr std::string_view name = "counting";
  Tensor forward(Context&, const Tensor& x) const { return x * 2; }
  Tensors backward(const Context&, const Tensors& gy) const {
    Tensor(count).add_(1);
    return {gy[0] * 2};
  }
};

TEST(CompiledGradient, ABackwardThatWritesStaysOnTheTape) {
  const Tensor x = Input({3}), count = zeros({});
  SymbolicModel model(x, apply(CountingFunction{count}, nn::Linear(3, 3)(x)));
  const auto run = [&] {
    model.zero_grad();
    model(ones({2, 3})).sum().backward();
    return model.parameters()[0].grad();
  };
  const Tensor expected = run();
  model.compile();
  EXPECT_EQ(difference(run(), expected), "");
  EXPECT_EQ(count.item<float>(), 2);
  EXPECT_TRUE(contains(model.compile_report(), "since the backward writes"))
      << model.compile_report();
}

TEST(CompiledGradient, AModelThatWritesItsInputRunsAsEver) {
  struct InPlace : nn::Layer<InPlace> {
    Tensor forward(const Tensor& x) const { return Tensor(x).mul_(2) + 1; }
  };
  const Tensor x = Input({2});
  SymbolicModel model(x, InPlace()(x));
  model.compile();
  for (bool grad : {false, true}) {
    const GradModeGuard mode(grad);
    const Tensor data = ones({1, 2});
    EXPECT_EQ(model(data).to_vector<float>(), (std::vector<float>{3, 3}));
    EXPECT_EQ(data.to_vector<float>(), (std::vector<float>{2, 2}));
  }
  EXPECT_TRUE(contains(model.compile_report(), "since an input is written in place"));
}

/// Parameters that no module lists, and a tensor computed from one.
TEST(CompiledGradient, FindsWhatTheModelDoesNotList) {
  const Tensor hidden = tensor({1., 2.}, {.requires_grad = true});
  const Tensor made = hidden.exp();
  struct Scaled : nn::Layer<Scaled> {
    Tensor a, b;
    Tensor forward(const Tensor& x) const { return x * a + x.tanh() * b; }
  };
  Scaled layer;
  layer.a = hidden;
  layer.b = made;
  const Tensor x = Input({2});
  SymbolicModel model(x, layer(x));
  const auto run = [&] {
    hidden.set_grad({});
    model(ones({3, 2})).sum().backward({}, {.retain_graph = true});
    return hidden.grad();
  };
  const Tensor expected = run();
  model.compile(exact());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(difference(run(), expected), "");
  expect_compiled(model);
}

TEST(CompiledGradient, TrainsOnSeveralThreads) {
  SymbolicModel model = small_model();
  const Tensor x = randn({4, 3});
  model(x).sum().backward();
  const Tensor one = model.parameters()[0].grad().clone();
  model.zero_grad();
  model.compile({.batch_sizes = {4}, .train = true});
  const auto work = [&] {
    for (int i = 0; i < 50; ++i) model(x).sum().backward();
  };
  { std::jthread a(work), b(work), c(work); }
  test::expect_tensor(model.parameters()[0].grad(), one * 150, 1e-2);
}

}  // namespace
}  // namespace reprise
