#pragma once
// Models in training with optimizers: what is run eagerly, replayed, and on other devices.

#include "../../core/ops/memory_format.h"
#include "../../core/random.h"
#include "../../optim/optim.h"
#include "example_models.h"
#include "replay.h"

namespace reprise::test {

inline constexpr int kSteps = 50;

using Model = std::shared_ptr<nn::Module>;
using MakeModel = std::function<Model()>;
using MakeOptimizer =
    std::function<std::unique_ptr<optim::Optimizer>(const std::vector<Tensor>& parameters)>;

template <class M>
Model shared(M model) {
  return std::make_shared<M>(std::move(model));
}

inline MakeOptimizer sgd(const optim::SGDOptions& options) {
  return [=](const auto& p) { return std::make_unique<optim::SGD>(p, options); };
}
inline MakeOptimizer adam(const optim::AdamOptions& options) {
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

struct TrainingCase {
  std::string name;
  MakeModel model;
  Shape batch;
  int64_t classes;
  MakeOptimizer optimizer;
  int steps = kSteps;
  bool schedule = false;
  MemoryFormat format = contiguous_format;  ///< of images, and of the weights of convolutions
};

inline std::ostream& operator<<(std::ostream& out, const TrainingCase& c) { return out << c.name; }

/// One model in training. Two with the same case begin alike, on any device.
class Training {
 public:
  explicit Training(const TrainingCase& c, Device device = Device::cpu()) : case_(c) {
    manual_seed(1);
    model_ = c.model();
    model_->to(device);
    model_->to(c.format);
    optimizer_ = c.optimizer(model_->parameters());
    for (int i = 0; i < c.steps; ++i) {
      inputs_.push_back(reprise::detail::dense(randn(c.batch).to(device), c.format));
      targets_.push_back(argmax(randn({c.batch[0], c.classes}), 1).to(device));
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
  TrainingCase case_;
  Model model_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::vector<Tensor> inputs_, targets_;
};

inline Model mlp() {
  return shared(nn::Sequential{nn::Linear(20, 33), nn::Dropout(0.3), nn::ReLU(), nn::Linear(33, 20),
                               nn::Tanh(), nn::Linear(20, 5)});
}

inline Model conv_net() {
  return shared(nn::Sequential{nn::Conv2d(3, 8, 3, {.padding = 1, .bias = false}),
                               nn::BatchNorm2d(8), nn::ReLU(), nn::MaxPool2d(2),
                               nn::Conv2d(8, 8, 3), nn::ReLU(), nn::Flatten(), nn::Dropout(0.2),
                               nn::Linear(8 * 4 * 4, 10)});
}

inline const Shape kVectors{16, 20}, kImages{8, 3, 12, 12};

inline std::vector<TrainingCase> training_cases() {
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
      {"conv_net_channels_last", conv_net, kImages, 10, adam({.lr = 0.01}), kSteps, false,
       channels_last},
      {"net_adam", net_model, {2, 1, 28, 28}, 10, adam({})},
      {"toy_resnet_sgd_momentum", toy_resnet_model, {2, 3, 32, 32}, 10, sgd(momentum)},
      {"toy_resnet_adam", toy_resnet_model, {2, 3, 32, 32}, 10, adam({})},
      {"toy_resnet_channels_last",
       toy_resnet_model,
       {2, 3, 32, 32},
       10,
       sgd(momentum),
       10,
       false,
       channels_last},
  };
}

}  // namespace reprise::test
