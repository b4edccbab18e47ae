#include "../../optim/grad_scaler.h"

#include <gtest/gtest.h>

#include <limits>

#include "../../autograd/tape.h"
#include "../../core/ops.h"
#include "../../core/random.h"
#include "../../graph/training_step.h"
#include "../../io/safetensors.h"
#include "../../layers/nn.h"
#include "../../optim/adam.h"
#include "../../optim/sgd.h"
#include "../core/expect.h"

namespace reprise {
namespace {

using test::expect_error;

constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor parameter(double value) {
  return full({2}, value, {.dtype = float32, .requires_grad = true});
}

TEST(GradScaler, StepsAsWithoutIt) {
  Tensor p = parameter(1), q = parameter(1);
  optim::SGD with({p}, {.lr = 0.5, .momentum = 0.5}), without({q}, {.lr = 0.5, .momentum = 0.5});
  optim::GradScaler scaler({.init_scale = 1024});
  for (int i = 0; i < 3; ++i) {
    with.zero_grad();
    without.zero_grad();
    scaler.scale((p * p).sum()).backward();
    EXPECT_EQ(p.grad()[0].item<float>(), 1024 * 2 * p[0].item<float>());
    scaler.step(with);
    scaler.update();
    (q * q).sum().backward();
    without.step();
    EXPECT_EQ(p.to_vector<float>(), q.to_vector<float>());
    EXPECT_EQ(scaler.found_inf().item<float>(), 0);
  }
}

TEST(GradScaler, LeavesOutStepsThatOverflowed) {
  for (const float bad : {kInf, -kInf, std::nanf("")}) {
    const Tensor p = parameter(1), q = parameter(2);
    optim::Adam optimizer({p, q}, {.lr = 0.5});
    optim::GradScaler scaler({.init_scale = 8});
    const auto step = [&](float gradient) {
      p.set_grad(tensor({1.0F, gradient}));
      q.set_grad(ones({2}));
      scaler.step(optimizer);
      scaler.update();
    };
    step(1);
    const auto before = p.to_vector<float>(), other = q.to_vector<float>();
    std::vector<std::vector<double>> state;
    for (const Tensor& t : optimizer.state()) state.push_back(t.to_vector<double>());
    step(bad);
    EXPECT_EQ(scaler.found_inf().item<float>(), 1);
    EXPECT_EQ(p.to_vector<float>(), before);
    EXPECT_EQ(q.to_vector<float>(), other);
    for (size_t i = 0; i < state.size(); ++i) {
      EXPECT_EQ(optimizer.state()[i].to_vector<double>(), state[i]) << i;
    }
    EXPECT_EQ(scaler.get_scale(), 4);
    step(1);
    EXPECT_NE(p.to_vector<float>(), before);
  }
}

TEST(GradScaler, GrowsAfterAnIntervalAndBacksOff) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p}, {.lr = 0.1});
  optim::GradScaler scaler(
      {.init_scale = 4, .growth_factor = 8, .backoff_factor = 0.25, .growth_interval = 3});
  std::vector<double> scales;
  for (const bool overflows : {false, false, true, false, false, false, false}) {
    p.set_grad(full({2}, overflows ? kInf : 1.0F));
    scaler.step(optimizer);
    scaler.update();
    scales.push_back(scaler.get_scale());
  }
  EXPECT_EQ(scales, (std::vector<double>{4, 4, 1, 1, 1, 8, 8}));
  scaler.update(32);
  EXPECT_EQ(scaler.get_scale(), 32);
  optim::GradScaler huge({.init_scale = 3e38, .growth_interval = 1});
  p.set_grad(ones({2}));
  huge.step(optimizer);
  huge.update();
  EXPECT_FLOAT_EQ(static_cast<float>(huge.get_scale()), 3e38F) << "does not grow to infinity";
}

TEST(GradScaler, OneOptimizerDoesNotStopAnother) {
  const Tensor p = parameter(1), q = parameter(1);
  optim::SGD a({p}, {.lr = 1}), b({q}, {.lr = 1});
  optim::GradScaler scaler({.init_scale = 2});
  p.set_grad(full({2}, kInf));
  q.set_grad(full({2}, 1.0));
  scaler.unscale_(b);
  EXPECT_EQ(q.grad()[0].item<float>(), 0.5F);
  scaler.step(a);
  scaler.step(b);
  scaler.update();
  EXPECT_EQ(p[0].item<float>(), 1);
  EXPECT_EQ(q[0].item<float>(), 0.5F);
  EXPECT_EQ(scaler.get_scale(), 1);
}

TEST(GradScaler, SaysWhatIsWrong) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p}, {.lr = 1});
  optim::GradScaler scaler;
  expect_error([&] { scaler.update(); }, ErrorKind::Value, {"update expects a step"});
  expect_error([&] { scaler.step(optimizer); }, ErrorKind::Value, {"has no gradients"});
  p.set_grad(ones({2}));
  scaler.unscale_(optimizer);
  expect_error([&] { scaler.unscale_(optimizer); }, ErrorKind::Value, {"already called"});
  scaler.step(optimizer);
  expect_error([&] { scaler.step(optimizer); }, ErrorKind::Value, {"already called"});
  const Tensor half = ones({2}).half().requires_grad_();
  half.set_grad(ones({2}).half());
  optim::SGD narrow({half}, {.lr = 1});
  expect_error([&] { scaler.step(narrow); }, ErrorKind::DType, {"gradients of float16"});
  expect_error([] { optim::GradScaler({.init_scale = 0}); }, ErrorKind::Value, {"init_scale"});
  expect_error([] { optim::GradScaler({.growth_factor = 1}); }, ErrorKind::Value, {"growth_f"});
  expect_error([] { optim::GradScaler({.backoff_factor = 1}); }, ErrorKind::Value, {"backoff"});
  expect_error([] { optim::GradScaler({.growth_interval = 0}); }, ErrorKind::Value, {"interval"});
}

TEST(GradScaler, CanBeSwitchedOffAndSaved) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p}, {.lr = 1});
  optim::GradScaler off({.enabled = false});
  const Tensor loss = full({}, 3.0);
  EXPECT_EQ(off.scale(loss).item<float>(), 3);
  EXPECT_EQ(off.get_scale(), 1);
  p.set_grad(ones({2}));
  off.step(optimizer);
  off.update();
  EXPECT_EQ(p[0].item<float>(), 0);

  optim::GradScaler one({.init_scale = 4, .growth_interval = 2}), other;
  p.set_grad(ones({2}));
  one.step(optimizer);
  one.update();
  other.load_state_dict(one.state_dict());
  p.set_grad(ones({2}));
  other.step(optimizer);
  other.update();
  EXPECT_EQ(other.get_scale(), 8) << "the count of steps goes on";
  expect_error([&] { other.load_state_dict({}); }, ErrorKind::Value, {"has no \"growth_factor\""});
}

TEST(GradScaler, IsPartOfACompiledStep) {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}), y = tensor({{1.0}, {2.0}});
  const Tensor bad = full({2, 2}, kInf);
  std::vector<std::vector<float>> results;
  for (const bool compiled : {false, true}) {
    manual_seed(5);
    nn::Linear net(2, 1);
    optim::Adam optimizer(net.parameters(), {.lr = 0.01});
    optim::GradScaler scaler({.init_scale = 1024, .growth_interval = 3});
    std::optional<TrainingStep> step;
    if (compiled) {
      step.emplace(compile_training_step(net, nn::MSELoss(), optimizer, {x, y},
                                         {.max_grad_norm = 1, .scaler = &scaler}));
    }
    for (int i = 0; i < 8; ++i) {
      const Tensor& in = i == 4 ? bad : x;
      if (compiled) {
        (*step)(in, y);
      } else {
        optimizer.zero_grad();
        scaler.scale(mse_loss(net(in), y)).backward();
        scaler.unscale_(optimizer);
        nn::clip_grad_norm_(optimizer.parameters(), 1);
        scaler.step(optimizer);
        scaler.update();
      }
    }
    EXPECT_EQ(scaler.get_scale(), 2048) << compiled;  // grown, backed off, grown
    results.emplace_back();
    for (const Tensor& p : net.parameters()) {
      for (const float v : p.to_vector<float>()) results.back().push_back(v);
    }
    for (const float v : results.back()) EXPECT_TRUE(std::isfinite(v));
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST(Optimizer, KeepsParametersOf16Bits) {
  for (const DType dtype : {float16, bfloat16}) {
    const Tensor p = ones({3}, {.dtype = dtype, .requires_grad = true});
    const Tensor wide = ones({3}, {.dtype = float32, .requires_grad = true});
    optim::Adam narrow_adam({p}, {.lr = 0.125}), adam({wide}, {.lr = 0.125});
    p.set_grad(full({3}, 0.5, {.dtype = dtype}));
    wide.set_grad(full({3}, 0.5));
    narrow_adam.step();
    adam.step();
    test::expect_tensor(p.detach(), wide.detach().to(dtype));
  }
}

}  // namespace
}  // namespace reprise
