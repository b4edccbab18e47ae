#include "../../optim/grad_scaler.h"

#include <gtest/gtest.h>

#include <limits>

#include "../../autograd/tape.h"
#include "../../core/cuda.h"
#include "../../core/dispatch.h"
#include "../../core/ops.h"
#include "../../core/random.h"
#include "../../graph/training_step.h"
#include "../../io/safetensors.h"
#include "../../layers/nn.h"
#include "../../optim/adam.h"
#include "../../optim/sgd.h"
#include "../core/expect.h"
#include "../core/on_device.h"

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

class GradScalerOn : public test::OnEachDevice {};
REPRISE_ON_EACH_DEVICE(GradScalerOn);

Tensor full_like_grad(const Tensor& p, double value) {
  return full(p.shape(), value, {.dtype = p.dtype(), .device = p.device()});
}

/// Counts op calls that reach kernels.
struct Counter : Interpreter {
  Tensors apply(const OpBase& op, std::span<const Tensor> in, const Tensor* into) override {
    if (!op.traits().alias) ++calls;
    return run_eager(op, in, into);
  }
  void enter(const std::string&) override {}
  void leave() override {}
  std::string describe(const Tensor&) const override { return {}; }

  int calls = 0;
};

constexpr DType kDtypes[] = {float32, float64, bfloat16};
constexpr int kParameters = 7;

std::vector<Tensor> parameters_on(Device device) {
  std::vector<Tensor> out;
  for (int i = 0; i < kParameters; ++i) {
    const Shape shape{i + 2, 3000};
    out.push_back(ones(shape, {.dtype = kDtypes[i % 3], .device = device, .requires_grad = true}));
  }
  return out;
}

TEST_P(GradScalerOn, FindsWhatIsNotFiniteInAnyGradient) {
  const std::vector<Tensor> parameters = parameters_on(device());
  optim::SGD optimizer(parameters, {.lr = 1});
  for (const float bad : {0.0F, kInf, -kInf, std::nanf("")}) {
    for (int at = 0; at < kParameters; ++at) {
      for (const Tensor& p : parameters) p.set_grad(full_like_grad(p, 4));
      Tensor place = parameters[static_cast<size_t>(at)].grad().detach()[at % 2 == 0 ? 0 : -1];
      if (bad != 0) place.slice(0, at, at + 1).fill_(bad);
      optim::GradScaler scaler({.init_scale = 2});
      scaler.unscale_(optimizer);
      for (const Tensor& p : parameters) {
        EXPECT_EQ(p.grad().slice(1, 100, 3000).min().item<float>(), 2) << at;
        EXPECT_EQ(p.grad().slice(1, 100, 3000).max().item<float>(), 2) << at;
      }
      scaler.step(optimizer);
      scaler.update();
      EXPECT_EQ(scaler.found_inf().item<float>(), bad == 0 ? 0 : 1) << at << " " << bad;
      EXPECT_EQ(scaler.get_scale(), bad == 0 ? 2 : 1);
    }
  }
}

TEST_P(GradScalerOn, TakesAnyNumberOfParametersInOneCall) {
  const std::vector<Tensor> parameters = parameters_on(device());
  for (const Tensor& p : parameters) p.set_grad(full_like_grad(p, 4));
  optim::SGD optimizer(parameters, {.lr = 1});
  optim::GradScaler scaler;
  (void)scaler.scale(ones({}, {.device = device()}));
  Counter counter;
  const InterpreterGuard guard(&counter);
  scaler.unscale_(optimizer);
  EXPECT_EQ(counter.calls, 1);
  counter.calls = 0;
  scaler.step(optimizer);
  const int of_step = counter.calls;
  EXPECT_LE(of_step, kParameters + 4);  // each by itself, since this is no eager call
  scaler.update();
  EXPECT_EQ(counter.calls - of_step, 2);
}

TEST(GradScaler, TakesGradientsOnCudaBesideTheCpu) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  for (const bool bad : {false, true}) {
    const Tensor here = parameter(1);
    const Tensor there = ones({2}, {.device = Device::cuda(), .requires_grad = true});
    optim::SGD optimizer(std::vector<optim::SGD::Group>{{{here}, {.lr = 1}}, {{there}, {.lr = 1}}});
    optim::GradScaler scaler({.init_scale = 2});
    here.set_grad(full({2}, 1.0));
    there.set_grad(full({2}, bad ? kInf : 1.0F).cuda());
    scaler.step(optimizer);
    scaler.update();
    EXPECT_EQ(here[0].item<float>(), bad ? 1 : 0.5F);
    EXPECT_EQ(there[0].item<float>(), bad ? 1 : 0.5F);
    EXPECT_EQ(scaler.get_scale(), bad ? 1 : 2);
  }
}

TEST(GradScaler, TakesOptimizersOnCudaBesideTheCpu) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  for (const bool bad : {false, true}) {
    const Tensor here = parameter(1);
    const Tensor there = ones({2}, {.device = Device::cuda(), .requires_grad = true});
    optim::SGD first({there}, {.lr = 1}), second({here}, {.lr = 1});
    optim::GradScaler scaler({.init_scale = 2});
    here.set_grad(full({2}, 1.0));
    there.set_grad(full({2}, bad ? kInf : 1.0F).cuda());
    scaler.step(first);
    scaler.step(second);
    scaler.update();
    EXPECT_EQ(there[0].item<float>(), bad ? 1 : 0.5F);
    EXPECT_EQ(here[0].item<float>(), 0.5F);
    EXPECT_EQ(scaler.get_scale(), bad ? 1 : 2);
  }
}

TEST(GradScaler, SaysWhatIsWrong) {
  const Tensor p = parameter(1);
  optim::SGD optimizer({p}, {.lr = 1});
  optim::GradScaler scaler;
  expect_error([&] { scaler.update(); }, ErrorKind::Value, {"update expects a step"});
  expect_error([&] { scaler.step(optimizer); }, ErrorKind::Value, {"has no gradients"});
  expect_error([&] { scaler.update(); }, ErrorKind::Value, {"update expects a step"});
  p.set_grad(ones({1}).expand({2}));
  expect_error([&] { scaler.unscale_(optimizer); }, ErrorKind::Value, {"clone it first"});
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
  expect_error([&] { scaler.set_growth_factor(1); }, ErrorKind::Value, {"growth_factor"});
  expect_error([&] { scaler.set_backoff_factor(0); }, ErrorKind::Value, {"backoff_factor"});
  expect_error([&] { scaler.set_growth_interval(0); }, ErrorKind::Value, {"growth_interval"});
  expect_error([&] { scaler.update(0); }, ErrorKind::Value, {"a scale > 0"});
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
  EXPECT_TRUE(off.state_dict().empty());
  off.load_state_dict({});

  optim::GradScaler one({.init_scale = 4, .growth_interval = 2}), other;
  one.set_growth_factor(4);
  one.set_backoff_factor(0.25);
  p.set_grad(ones({2}));
  one.step(optimizer);
  one.update();
  other.load_state_dict(one.state_dict());
  p.set_grad(ones({2}));
  other.step(optimizer);
  other.update();
  EXPECT_EQ(other.get_scale(), 16) << "the count of steps goes on";
  EXPECT_EQ(other.get_growth_factor(), 4);
  EXPECT_EQ(other.get_backoff_factor(), 0.25);
  EXPECT_EQ(other.get_growth_interval(), 2);
  auto state = one.state_dict();
  expect_error([&] { other.load_state_dict({}); }, ErrorKind::Value, {"switched off"});
  expect_error([&] { other.load_state_dict({state[0]}); }, ErrorKind::Value,
               {"has no \"growth_factor\""});
  state[0].second.fill_(-1);
  expect_error([&] { other.load_state_dict(state); }, ErrorKind::Value, {"init_scale"});
  EXPECT_EQ(other.get_scale(), 16);
  const std::vector<Tensor> scaled = other.scale(std::vector{ones({}), full({}, 2.0).half()});
  EXPECT_EQ(scaled[0].item<float>(), 16);
  EXPECT_EQ(scaled[1].item<float>(), 32);
}

struct Trained {
  std::vector<float> values;
  std::vector<double> found_inf;
  double scale;
};

Trained train(Device device, bool compiled) {
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}).to(device);
  const Tensor y = tensor({{1.0}, {2.0}}).to(device);
  manual_seed(5);
  nn::Linear net(2, 1);
  net.to(device);
  optim::Adam optimizer(net.parameters(), {.lr = 0.01});
  optim::GradScaler scaler({.init_scale = 1024, .growth_interval = 3});
  std::optional<TrainingStep> step;
  if (compiled) {
    step.emplace(compile_training_step(net, nn::MSELoss(), optimizer, {x, y},
                                       {.max_grad_norm = 1, .scaler = &scaler}));
  }
  Trained out{};
  for (int i = 0; i < 8; ++i) {
    const Tensor in = i == 4 ? full({2, 2}, kInf, {.device = device}) : x;
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
    out.found_inf.push_back(scaler.found_inf().item<double>());
  }
  for (const Tensor& p : net.parameters()) {
    for (const float v : p.to_vector<float>()) out.values.push_back(v);
  }
  out.scale = scaler.get_scale();
  if (compiled && device.kind == Device::Kind::cuda) {
    EXPECT_EQ(step->program().replay().substr(0, 14), "one CUDA graph") << step->program().replay();
  }
  return out;
}

TEST_P(GradScalerOn, IsPartOfACompiledStep) {
  const Trained eager = train(device(), false), compiled = train(device(), true);
  EXPECT_EQ(eager.values, compiled.values);
  for (const Trained& t : {eager, compiled}) {
    EXPECT_EQ(t.scale, 2048);  // grown, backed off, grown
    EXPECT_EQ(t.found_inf, (std::vector<double>{0, 0, 0, 0, 1, 0, 0, 0}));
    for (const float v : t.values) EXPECT_TRUE(std::isfinite(v));
  }
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
