// compile_training_step against the same step run eagerly.

#include "../../graph/training_step.h"

#include <gtest/gtest.h>

#include <cstring>

#include "../../autograd/tape.h"
#include "../../core/ops.h"
#include "../../core/random.h"
#include "../../layers/clip_grad.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../core/expect.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::expect_error;

struct Classifier {
  nn::Sequential net{nn::Linear(12, 16), nn::BatchNorm1d(16), nn::ReLU(), nn::Dropout(0.2),
                     nn::Linear(16, 4)};
  optim::Adam adam;

  explicit Classifier(double lr = 0.01) : adam(seeded(net).parameters(), {.lr = lr}) {}
  static nn::Sequential& seeded(nn::Sequential& net) {
    manual_seed(3);
    net.apply([](nn::Module& m) {
      for (Tensor& p : std::vector<Tensor>(m.parameters(false))) {
        const NoGradGuard no_grad;
        p.copy_(rand(p.shape()) - 0.5);
      }
    });
    return net;
  }
  Tensor loss(const Tensor& x, const Tensor& target) {
    return nn::CrossEntropyLoss()(net(x), target);
  }
  std::vector<float> values() const {
    std::vector<float> out;
    for (const Tensor& p : net.parameters()) {
      for (float v : p.to_vector<float>()) out.push_back(v);
    }
    return out;
  }
};

struct Data {
  Tensor x = randn({8, 12});
  Tensor target = (rand({8}) * 4).to(int64);
};

std::vector<Data> batches(size_t count) {
  manual_seed(11);
  return std::vector<Data>(count);
}

TEST(TrainingStep, TrainsAsEagerDoesToTheBit) {
  Classifier eager, compiled;
  auto step = compile_training_step(compiled.net, nn::CrossEntropyLoss(), compiled.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)});
  const auto data = batches(20);
  std::vector<float> losses;
  manual_seed(5);
  for (const Data& d : data) {
    eager.adam.zero_grad();
    const Tensor loss = eager.loss(d.x, d.target);
    loss.backward();
    eager.adam.step();
    losses.push_back(loss.item<float>());
  }
  manual_seed(5);
  for (size_t i = 0; i < data.size(); ++i) {
    EXPECT_EQ(step(data[i].x, data[i].target).item<float>(), losses[i]) << "step " << i;
  }
  EXPECT_EQ(compiled.values(), eager.values());
}

TEST(TrainingStep, FollowsTheLearningRate) {
  Classifier eager, compiled;
  auto step = compile_training_step(compiled.net, nn::CrossEntropyLoss(), compiled.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)});
  for (Classifier* c : {&eager, &compiled}) {
    manual_seed(5);
    for (const Data& d : batches(4)) {
      c->adam.set_lr(c->adam.lr() / 2);
      if (c == &compiled) {
        step(d.x, d.target);
        continue;
      }
      c->adam.zero_grad();
      c->loss(d.x, d.target).backward();
      c->adam.step();
    }
  }
  EXPECT_EQ(compiled.values(), eager.values());
}

TEST(TrainingStep, ClipsGradients) {
  Classifier eager, compiled;
  auto step = compile_training_step(compiled.net, nn::CrossEntropyLoss(), compiled.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)},
                                    {.max_grad_norm = 0.1, .max_grad_value = 0.01});
  for (const Data& d : batches(3)) {
    manual_seed(5);
    eager.adam.zero_grad();
    eager.loss(d.x, d.target).backward();
    nn::clip_grad_norm_(eager.net.parameters(), 0.1);
    nn::clip_grad_value_(eager.net.parameters(), 0.01);
    eager.adam.step();
    manual_seed(5);
    step(d.x, d.target);
  }
  EXPECT_EQ(compiled.values(), eager.values());
}

TEST(TrainingStep, AccumulatesMicroBatches) {
  Classifier eager, compiled;
  auto step = compile_training_step(compiled.net, nn::CrossEntropyLoss(), compiled.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)}, {.accumulate = 3});
  ASSERT_NE(step.update_program(), nullptr);
  const std::vector<float> before = compiled.values();
  int micro_batch = 0;
  for (const Data& d : batches(6)) {
    manual_seed(5);
    (eager.loss(d.x, d.target) / 3).backward();
    manual_seed(5);
    step(d.x, d.target);
    EXPECT_EQ(++micro_batch < 3, compiled.values() == before) << micro_batch;
    if (micro_batch % 3 != 0) continue;
    eager.adam.step();
    eager.adam.zero_grad(false);
    EXPECT_EQ(compiled.values(), eager.values());
  }
}

TEST(TrainingStep, FlushesAndResetsMicroBatches) {
  Classifier eager, compiled;
  auto step = compile_training_step(compiled.net, nn::CrossEntropyLoss(), compiled.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)}, {.accumulate = 3});
  const auto data = batches(2);
  step(data[0].x, data[0].target);
  EXPECT_EQ(step.micro_batch(), 1);
  step.reset();
  eager.loss(data[0].x, data[0].target);  // statistics of the batch move all the same
  manual_seed(5);
  step(data[1].x, data[1].target);
  step.flush();
  EXPECT_EQ(step.micro_batch(), 0);
  manual_seed(5);
  (eager.loss(data[1].x, data[1].target) / 3).backward();
  eager.adam.step();
  EXPECT_EQ(compiled.values(), eager.values());
}

TEST(TrainingStep, SaysWhenParametersWereConverted) {
  Classifier c;
  auto step = compile_training_step(c.net, nn::CrossEntropyLoss(), c.adam,
                                    {Meta({8, 12}, float32), Meta({8}, int64)});
  c.net.to(float64);
  const Data d;
  expect_error([&] { step(d.x, d.target); }, ErrorKind::Graph, {"converted", "compile"});
}

TEST(TrainingStep, ReturnsLossAndOutputsOfASymbolicModel) {
  SymbolicModel model = test::net();
  optim::SGD sgd(model.parameters(), {.lr = 0.1});
  auto step = compile_training_step(model, nn::CrossEntropyLoss(), sgd,
                                    {Meta({4, 1, 28, 28}, float32), Meta({4}, int64)});
  const Tensor x = rand({4, 1, 28, 28}), target = tensor({0, 1, 2, 3});
  const Tensor expected = model(x).detach();
  const Tensors out = step.call(std::array{x, target});
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].to_vector<float>(), expected.to_vector<float>());
  EXPECT_GT(step.program().memory().arena, 0U);
}

TEST(TrainingStep, SaysWhatIsWrong) {
  Classifier c;
  const std::vector<Example> inputs{Meta({8, 12}, float32), Meta({8}, int64)};
  expect_error(
      [&] {
        compile_training_step(c.net, nn::CrossEntropyLoss(), c.adam, inputs, {.accumulate = 0});
      },
      ErrorKind::Value, {"accumulate >= 1, got 0"});
  expect_error(
      [&] {
        compile_training_step(
            c.net, [](const Tensor& y, const Tensor&) { return y; }, c.adam, inputs);
      },
      ErrorKind::Autograd, {"more than one element"});
  optim::SGD other({ones({2})}, {.lr = 0.1});
  expect_error([&] { compile_training_step(c.net, nn::CrossEntropyLoss(), other, inputs); },
               ErrorKind::Value, {"none of the optimizer's parameters"});
}

}  // namespace
}  // namespace reprise
