// Training runs of 50 steps, eager against one program replayed: the same bits in losses,
// parameters, buffers and optimizer state, for every optimizer, number of threads and selection of
// passes.

#include <gtest/gtest.h>

#include "../../core/random.h"
#include "../../optim/optim.h"
#include "example_models.h"
#include "replay.h"

namespace reprise::test {
namespace {

constexpr int kSteps = 50;

using Model = std::shared_ptr<nn::Module>;
using MakeModel = std::function<Model()>;
using MakeOptimizer =
    std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>& parameters)>;

template <class M>
Model shared(M model) {
  return std::make_shared<M>(std::move(model));
}

MakeOptimizer sgd(const optim::SGDOptions& options) {
  return [=](const auto& p) { return std::make_unique<optim::SGD>(p, options); };
}
MakeOptimizer adam(const optim::AdamOptions& options) {
  return [=](const auto& p) { return std::make_unique<optim::Adam>(p, options); };
}

/// What a training run leaves behind.
struct Outcome {
  Tensors losses, model, optimizer;

  std::string fault(const Outcome& expected) const {
    std::string fault = difference(losses, expected.losses, "loss of step");
    if (fault.empty()) fault = difference(model, expected.model, "parameter or buffer");
    if (fault.empty()) fault = difference(optimizer, expected.optimizer, "optimizer state");
    return fault;
  }
};

struct Case {
  std::string name;
  MakeModel model;
  Shape batch;
  int64_t classes;
  MakeOptimizer optimizer;
  int steps = kSteps;
  bool schedule = false;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

/// One model in training. Two with the same case begin alike.
class Training {
 public:
  explicit Training(const Case& c) : case_(c) {
    manual_seed(1);
    model_ = c.model();
    optimizer_ = c.optimizer(model_->parameters());
    for (int i = 0; i < c.steps; ++i) {
      inputs_.push_back(randn(c.batch));
      targets_.push_back(argmax(randn({c.batch[0], c.classes}), 1));
    }
  }

  Tensor step(const Tensor& x, const Tensor& target) {
    optimizer_->zero_grad();
    const Tensor y = model_->call(std::array{x}).front();
    const Tensor loss = cross_entropy(y, target);
    loss.backward();
    optimizer_->step();
    return loss.detach();
  }

  Program program(const CompileOptions& options) {
    const auto f = [&](const Tensor& x, const Tensor& target) { return step(x, target); };
    return compile(f, {inputs_[0], targets_[0]}, options);
  }

  template <class Step>
  Outcome run(Step&& one_step) {
    manual_seed(2);
    Outcome out;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      if (case_.schedule) optimizer_->set_lr(0.02 / static_cast<double>(1 + i / 10));
      out.losses.push_back(one_step(inputs_[i], targets_[i]));
    }
    for (const auto& [name, tensor] : model_->state_dict()) out.model.push_back(tensor);
    for (const Tensor& t : optimizer_->state()) out.optimizer.push_back(t);
    return out;
  }

  Outcome run_eagerly() {
    return run([&](const Tensor& x, const Tensor& target) { return step(x, target); });
  }

 private:
  Case case_;
  Model model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::vector<Tensor> inputs_, targets_;
};

Outcome replayed(const Case& c, const CompileOptions& options, int threads = 1) {
  const Threads guard(threads);
  Training training(c);
  Program program = training.program(options);
  EXPECT_EQ(fault_of(program), "");
  return training.run(program);
}

Model mlp() {
  return shared(nn::Sequential{nn::Linear(20, 33), nn::Dropout(0.3), nn::ReLU(), nn::Linear(33, 20),
                               nn::Tanh(), nn::Linear(20, 5)});
}

Model conv_net() {
  return shared(nn::Sequential{nn::Conv2d(3, 8, 3, {.padding = 1}), nn::BatchNorm2d(8), nn::ReLU(),
                               nn::MaxPool2d(2), nn::Conv2d(8, 8, 3), nn::ReLU(), nn::Flatten(),
                               nn::Dropout(0.2), nn::Linear(8 * 4 * 4, 10)});
}

const Shape kVectors{16, 20}, kImages{8, 3, 12, 12};

std::vector<Case> cases() {
  const auto toy_resnet_model = [] { return shared(toy_resnet()); };
  const auto net_model = [] { return shared(net()); };
  const optim::SGDOptions momentum{.lr = 0.02, .momentum = 0.9};
  return {
      {"mlp_sgd", mlp, kVectors, 5, sgd({.lr = 0.1})},
      {"mlp_sgd_momentum", mlp, kVectors, 5, sgd(momentum)},
      {"mlp_sgd_nesterov", mlp, kVectors, 5, sgd({.lr = 0.02, .momentum = 0.9, .nesterov = true})},
      {"mlp_sgd_weight_decay", mlp, kVectors, 5, sgd({.lr = 0.1, .weight_decay = 0.01})},
      {"mlp_sgd_dampening", mlp, kVectors, 5,
       sgd({.lr = 0.1, .momentum = 0.9, .dampening = 0.5, .weight_decay = 0.01})},
      {"mlp_adam", mlp, kVectors, 5, adam({.lr = 0.01})},
      {"mlp_adam_amsgrad", mlp, kVectors, 5,
       adam({.lr = 0.01, .weight_decay = 0.01, .amsgrad = true})},
      {"mlp_schedule", mlp, kVectors, 5, adam({}), kSteps, true},
      {"conv_net_sgd", conv_net, kImages, 10, sgd({.lr = 0.05})},
      {"conv_net_sgd_momentum", conv_net, kImages, 10, sgd(momentum), kSteps, true},
      {"conv_net_adam", conv_net, kImages, 10, adam({.lr = 0.01})},
      {"conv_net_adam_amsgrad", conv_net, kImages, 10, adam({.lr = 0.01, .amsgrad = true})},
      {"net_adam", net_model, {2, 1, 28, 28}, 10, adam({})},
      {"toy_resnet_sgd_momentum", toy_resnet_model, {2, 3, 32, 32}, 10, sgd(momentum)},
      {"toy_resnet_adam", toy_resnet_model, {2, 3, 32, 32}, 10, adam({})},
  };
}

class TrainingReplay : public testing::TestWithParam<Case> {};

TEST_P(TrainingReplay, HasTheBitsOfEager) {
  const Outcome eager = Training(GetParam()).run_eagerly();
  ASSERT_NE(difference(eager.losses.front(), eager.losses.back()), "") << "nothing was learnt";
  const std::vector<std::string> passes = pass_specs();
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(replayed(GetParam(), {.passes = passes[i]}).fault(eager), "") << passes[i];
  }
}

TEST_P(TrainingReplay, HasSameBitsForAnyNumberOfThreads) {
  Case c = GetParam();
  c.steps = 10;
  const Outcome expected = replayed(c, {});
  for (const int threads : {1, 2, 4}) {
    EXPECT_EQ(replayed(c, {}, threads).fault(expected), "") << threads << " threads";
  }
}

TEST_P(TrainingReplay, NeverMissesWhatWasOverwritten) {
  Case c = GetParam();
  c.steps = 3;
  EXPECT_EQ(replayed(c, {.check_memory = true}).fault(replayed(c, {})), "");
}

INSTANTIATE_TEST_SUITE_P(All, TrainingReplay, testing::ValuesIn(cases()),
                         [](const auto& c) { return c.param.name; });

/// Gradients of four micro-batches are added up before an update.
struct Accumulation {
  Accumulation() {
    manual_seed(1);
    model = mlp();
    optimizer = adam({.lr = 0.01})(model->parameters());
    for (const Tensor& p : model->parameters()) p.set_grad(zeros_like(p.detach()));
  }
  Tensor add(const Tensor& x, const Tensor& target) const {
    const Tensor loss = cross_entropy(model->call(std::array{x}).front(), target) / 4;
    loss.backward();
    return loss.detach();
  }
  void update() const {
    optimizer->step();
    optimizer->zero_grad(false);
  }

  Model model;
  std::unique_ptr<optim::Optimizer> optimizer;
};

template <class Add, class Update>
Outcome accumulate(const Accumulation& training, Add&& add, Update&& update) {
  manual_seed(2);
  Outcome out;
  for (int i = 0; i < 4 * kSteps; ++i) {
    const Tensor x = randn({4, 20});
    const Tensor target = argmax(slice(x, 1, 0, 5), 1);
    out.losses.push_back(add(x, target));
    if (i % 4 == 3) update();
  }
  for (const auto& [name, tensor] : training.model->state_dict()) out.model.push_back(tensor);
  for (const Tensor& t : training.optimizer->state()) out.optimizer.push_back(t);
  return out;
}

TEST(TrainingReplayAccumulation, HasTheBitsOfEager) {
  const Accumulation eager, traced;
  const Outcome expected = accumulate(
      eager, [&](const Tensor& x, const Tensor& target) { return eager.add(x, target); },
      [&] { eager.update(); });
  const auto add = [&](const Tensor& x, const Tensor& target) { return traced.add(x, target); };
  Program adds = compile(add, {Meta({4, 20}, float32), Meta({4}, int64)});
  Program updates = compile([&] { traced.update(); }, {});
  const auto update = [&] { updates.run({}, {}); };
  EXPECT_EQ(accumulate(traced, adds, update).fault(expected), "");
}

}  // namespace
}  // namespace reprise::test
