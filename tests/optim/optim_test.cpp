// Optimizers: steps worked out by hand, groups, bad arguments.

#include "../../optim/adam.h"
#include "../../optim/schedule.h"
#include "../../optim/sgd.h"

#include <gtest/gtest.h>

#include "../../core/dispatch.h"
#include "../../core/ops.h"

namespace reprise {
namespace {

template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

Tensor parameter(double value) {
  return full({1}, value, {.dtype = float64, .requires_grad = true});
}

void set_grad(const Tensor& p, double value) { p.set_grad(full({1}, value, {.dtype = float64})); }

TEST(SGD, StepsByHand) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p}, {.lr = 0.5, .momentum = 0.5, .weight_decay = 0.25});
  set_grad(p, 1);
  optimizer.step();  // g = 1.25, v = 1.25, p = 1 - 0.625
  EXPECT_DOUBLE_EQ(p.item<double>(), 0.375);
  optimizer.step();  // g = 1.09375, v = 0.625 + 1.09375, p = 0.375 - 0.859375
  EXPECT_DOUBLE_EQ(p.item<double>(), -0.484375);
  EXPECT_TRUE(p.is_leaf() && p.requires_grad());
}

TEST(Adam, TheFirstStepHasTheLengthOfTheLearningRate) {
  const Tensor p = parameter(1), q = parameter(1);
  optim::Adam optimizer({p, q}, {.lr = 0.01, .eps = 0});
  set_grad(p, 100);
  set_grad(q, -1e-3);
  optimizer.step();
  EXPECT_NEAR(p.item<double>(), 0.99, 1e-15);
  EXPECT_NEAR(q.item<double>(), 1.01, 1e-15);
}

TEST(Optimizer, ParametersWithoutGradientAreSkipped) {
  const Tensor p = parameter(1), q = parameter(1);
  optim::SGD optimizer({p, q}, {.lr = 1});
  set_grad(p, 1);
  optimizer.step();
  EXPECT_EQ(p.item<double>(), 0);
  EXPECT_EQ(q.item<double>(), 1);
}

TEST(Optimizer, ZeroGrad) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p});
  set_grad(p, 2);
  const Tensor held = p.grad();
  optimizer.zero_grad(false);
  EXPECT_EQ(p.grad().item<double>(), 0);
  EXPECT_EQ(p.grad().raw_data(), held.raw_data());  // as a trace wants it
  optimizer.zero_grad();
  EXPECT_FALSE(p.grad().defined());
}

TEST(Optimizer, GroupsHaveTheirOwnOptions) {
  const Tensor p = parameter(1), q = parameter(1);
  optim::SGD optimizer({{{p}, {.lr = 0.5}}, {{q}, {.lr = 0.25, .weight_decay = 1}}});
  set_grad(p, 1);
  set_grad(q, 1);
  optimizer.step();
  EXPECT_EQ(p.item<double>(), 0.5);
  EXPECT_EQ(q.item<double>(), 0.5);
  EXPECT_EQ(optimizer.num_groups(), 2u);
  EXPECT_EQ(optimizer.lr(1), 0.25);
  optimizer.set_lr(2, 0);
  EXPECT_EQ(optimizer.lr(), 2);
  optimizer.set_lr(0.125);
  EXPECT_EQ(optimizer.lr(0), optimizer.lr(1));
  optimizer.step();
  EXPECT_EQ(p.item<double>(), 0.375);
}

TEST(Optimizer, StateHasATensorOfItsOwnForEverything) {
  const Tensor p = parameter(1), q = parameter(1);
  optim::SGD sgd({{{p}, {.lr = 0.5}}, {{q}, {.lr = 0.25, .momentum = 0.5}}});
  optim::Adam adam({p, q}, {.lr = 2});
  EXPECT_EQ(sgd.state().size(), 2U);
  set_grad(p, 1);
  set_grad(q, 1);
  for (int i = 0; i < 3; ++i) {
    sgd.step();
    adam.step();
  }
  const auto of_sgd = sgd.state(), of_adam = adam.state();
  ASSERT_EQ(of_sgd.size(), 2U + 2 * 2);  // velocity and step
  ASSERT_EQ(of_adam.size(), 1U + 2 * 4);
  EXPECT_EQ(of_sgd[1].item<double>(), 0.25);
  EXPECT_EQ(of_sgd[2].numel(), 0);
  EXPECT_EQ(of_sgd[3].item<double>(), 3);
  EXPECT_EQ(of_sgd[4].item<double>(), 1.75);
  EXPECT_EQ(of_adam[0].item<double>(), 2);
  EXPECT_EQ(of_adam[8].item<double>(), 3);
  for (const auto& state : {of_sgd, of_adam}) {
    for (size_t i = 0; i < state.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        EXPECT_NE(state[i].impl().storage, state[j].impl().storage) << i << " " << j;
      }
    }
  }
}

/// Notes the ops that reach it, and runs them.
class Listener final : public Interpreter {
 public:
  Tensors apply(const OpBase& op, std::span<const Tensor> in, const Tensor* into) override {
    heard.emplace_back(op.name());
    return run_eager(op, in, into);
  }
  void enter(const std::string&) override {}
  void leave() override {}
  std::string describe(const Tensor&) const override { return {}; }

  std::vector<std::string> heard;
};

TEST(Optimizer, ATracerSeesTheStepButNotTheMakingOfItsState) {
  const Tensor p = parameter(1);
  optim::SGD sgd({p}, {.momentum = 0.9});
  optim::Adam adam({p}, {.amsgrad = true});
  set_grad(p, 1);
  Listener listener;
  {
    const InterpreterGuard guard(&listener);
    sgd.step();
    adam.step();
  }
  EXPECT_EQ(listener.heard, (std::vector<std::string>{"sgd_step", "adam_step"}));
}

TEST(Optimizer, BadArgumentsAreRefused) {
  const Tensor p = parameter(1), q = p * 2;
  const std::vector<std::pair<std::function<void()>, std::string>> rows{
      {[&] { optim::SGD({p}, {.lr = -1}); }, "SGD: expected lr >= 0, got -1"},
      {[&] { optim::SGD({p}, {.momentum = -1}); }, "SGD: expected momentum >= 0, got -1"},
      {[&] { optim::SGD({p}, {.weight_decay = -1}); }, "SGD: expected weight_decay >= 0, got -1"},
      {[&] { optim::SGD({p}, {.nesterov = true}); },
       "SGD: expected momentum > 0 and no dampening with nesterov, got momentum 0 and dampening 0"},
      {[&] {
         optim::SGD({p, p});
       },
       "SGD: expected each parameter once, got one of shape [1] twice"},
      {[&] { optim::SGD({q}); }, "SGD: expected leaves as parameters, got the result of an op"},
      {[&] { optim::SGD(std::vector<Tensor>{}); },
       "SGD: expected at least one parameter, got none"},
      {[&] { optim::SGD({p}).set_lr(-1); }, "SGD: expected lr >= 0, got -1"},
      {[&] { optim::SGD({p}).lr(1); }, "SGD: expected a group below 1, got 1"},
      {[&] {
         optim::Adam({p}, {.betas = {0.9, 1}});
       },
       "Adam: expected betas in [0, 1), got 1"},
      {[&] {
         optim::Adam({p}, {.betas = {-0.5, 0.9}});
       },
       "Adam: expected betas in [0, 1), got -0.5"},
      {[&] { optim::Adam({p}, {.eps = -1}); }, "Adam: expected eps >= 0, got -1"},
      {[&] { optim::Adam({p}, {.weight_decay = -1}); }, "Adam: expected weight_decay >= 0, got -1"},
      {[&] {
         optim::SGD s({p});
         optim::StepLR(s, 0);
       },
       "StepLR: expected step_size > 0, got 0"},
      {[&] {
         optim::SGD s({p});
         optim::CosineAnnealingLR(s, 0);
       },
       "CosineAnnealingLR: expected T_max > 0, got 0"},
  };
  for (const auto& [make, expected] : rows) EXPECT_EQ(error_of(make), expected);
}

TEST(Schedule, StepLRDropsEveryFewEpochs) {
  optim::SGD optimizer({parameter(1)}, {.lr = 8});
  optim::StepLR schedule(optimizer, 2, 0.5);
  std::vector<double> rates;
  for (int i = 0; i < 5; ++i, schedule.step()) rates.push_back(optimizer.lr());
  EXPECT_EQ(rates, (std::vector<double>{8, 8, 4, 4, 2}));
}

TEST(Schedule, CosineGoesDownAndUpAgain) {
  optim::SGD optimizer({parameter(1)}, {.lr = 3});
  optim::CosineAnnealingLR schedule(optimizer, 2, 1);
  for (const double expected : {3.0, 2.0, 1.0, 2.0, 3.0}) {
    EXPECT_NEAR(optimizer.lr(), expected, 1e-12);
    schedule.step();
  }
}

}  // namespace
}  // namespace reprise
