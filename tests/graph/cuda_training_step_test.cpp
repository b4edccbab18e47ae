// Training steps with all that goes into one, on a GPU: captured they have the bits of eager.

#include "../../autograd/tape.h"
#include "../../core/autocast.h"
#include "../../graph/training_step.h"
#include "../../layers/clip_grad.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "program_on_gpu.h"
#include "training_cases.h"

namespace reprise::test {
namespace {

struct StepCase {
  std::string name;
  MakeOptimizer optimizer = sgd({.lr = 0.05, .momentum = 0.9});
  std::optional<double> max_norm = {}, max_value = {};
  double scale = 0;                 // of a GradScaler; 0: none
  std::optional<DType> mixed = {};  // autocast
  double dropout = 0;
  bool schedule = false, average = false;
  int64_t accumulate = 1;
  bool looks = false;  // a C++ function sees the loss
};
std::ostream& operator<<(std::ostream& out, const StepCase& c) { return out << c.name; }

std::vector<StepCase> step_cases() {
  const MakeOptimizer with_adam = adam({.lr = 0.01, .weight_decay = 0.01, .amsgrad = true});
  return {
      {.name = "plain"},
      {.name = "adam", .optimizer = with_adam},
      {.name = "clip_norm", .max_norm = 0.5},
      {.name = "clip_value", .max_value = 0.01},
      {.name = "scaler", .scale = 1024},
      {.name = "scaler_that_overflows", .scale = 1e38},
      {.name = "scaler_and_clip", .max_norm = 0.5, .scale = 1024},
      {.name = "autocast_bfloat16", .mixed = bfloat16},
      {.name = "autocast_float16_scaler", .optimizer = with_adam, .scale = 1e6, .mixed = float16},
      {.name = "dropout", .dropout = 0.3},
      {.name = "schedule", .optimizer = with_adam, .schedule = true},
      {.name = "average", .average = true},
      {.name = "accumulate", .dropout = 0.3, .accumulate = 2},
      {.name = "accumulate_scaler_clip", .max_norm = 0.5, .scale = 1024, .accumulate = 3},
      {.name = "looks", .dropout = 0.3, .looks = true},
      {.name = "all",
       .optimizer = with_adam,
       .max_norm = 0.5,
       .max_value = 0.1,
       .scale = 1e6,
       .mixed = float16,
       .dropout = 0.2,
       .schedule = true,
       .average = true,
       .looks = true},
  };
}

/// A small model in training with moving averages of its parameters. Two of a case begin alike.
class Rig {
 public:
  explicit Rig(const StepCase& c) : case_(c), net_(make_net(c.dropout)) {
    optimizer_ = c.optimizer(net_.parameters());
    if (c.scale > 0)
      scaler_.emplace(optim::GradScalerOptions{.init_scale = c.scale, .growth_interval = 3});
    if (c.schedule) schedule_.emplace(*optimizer_, 2, 0.5);
    for (const Tensor& p : net_.parameters()) averages_.push_back(p.detach().clone());
    if (c.accumulate > 1) {
      for (const Tensor& p : net_.parameters()) p.set_grad(zeros_like(p.detach()));
    }
  }

  /// Losses, parameters, buffers and all else that was trained, after six steps.
  Tensors train(bool captured) {
    const auto micro = [&](const Tensor& x, const Tensor& y) { return forward_backward(x, y); };
    const auto whole = [&](const Tensor& x, const Tensor& y) {
      optimizer_->zero_grad();
      const Tensor loss = forward_backward(x, y);
      update();
      return loss;
    };
    const bool one = case_.accumulate == 1;
    const auto updates = [&] {
      update();
      optimizer_->zero_grad(false);
    };
    std::optional<Program> step, end;
    if (captured && one) step = compile(whole, {x_, y_});
    if (captured && !one) step = compile(micro, {x_, y_}), end = compile(updates, {});
    Tensors out;
    manual_seed(5);
    for (int i = 0; i < 6; ++i) {
      const Tensor x = x_ + i;
      if (captured) {
        out.push_back((*step)(x, y_).clone());
      } else {
        out.push_back(one ? whole(x, y_) : micro(x, y_));
      }
      if (!one && (i + 1) % case_.accumulate == 0) captured ? end->run({}, {}) : updates();
      if (schedule_) schedule_->step();
    }
    if (captured) report_ = step->replay();
    collect(out);
    return out;
  }
  const std::string& report() const { return report_; }
  const std::vector<double>& seen() const { return seen_; }

 private:
  static nn::Sequential make_net(double dropout) {
    manual_seed(1);
    nn::Sequential net(nn::Conv2d(2, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::ReLU(),
                       nn::MaxPool2d(2), nn::Flatten(), nn::Dropout(dropout), nn::Linear(36, 8),
                       nn::Tanh(), nn::Linear(8, 3));
    net.to(kGpu);
    return net;
  }

  Tensor forward_backward(const Tensor& x, const Tensor& y) {
    Tensor loss;
    {
      const AutocastGuard guard(Device::Kind::cuda, case_.mixed.value_or(bfloat16),
                                case_.mixed.has_value());
      loss = cross_entropy(net_(x), y);
    }
    if (case_.looks) {
      host_call("look",
                [this](const Tensors& in) {
                  seen_.push_back(in[0].item<double>());
                  return Tensors();
                },
                {loss.detach()}, {});
    }
    const Tensor share = case_.accumulate > 1 ? loss / case_.accumulate : loss;
    (scaler_ ? scaler_->scale(share) : share).backward();
    return loss.detach();
  }

  void update() {
    const std::vector<Tensor> parameters = optimizer_->parameters();
    if (scaler_) scaler_->unscale_(*optimizer_);
    if (case_.max_norm) nn::clip_grad_norm_(parameters, *case_.max_norm);
    if (case_.max_value) nn::clip_grad_value_(parameters, *case_.max_value);
    if (scaler_) {
      scaler_->step(*optimizer_);
      scaler_->update();
    } else {
      optimizer_->step();
    }
    if (!case_.average) return;
    const NoGradGuard no_grad;
    for (size_t i = 0; i < averages_.size(); ++i) {
      averages_[i].mul_(0.9).add_(parameters[i].detach() * 0.1);
    }
  }

  void collect(Tensors& out) {
    for (const auto& [name, tensor] : net_.state_dict()) out.push_back(tensor);
    for (const Tensor& t : optimizer_->state()) out.push_back(t);
    for (const Tensor& t : averages_) out.push_back(t);
    if (scaler_) {
      for (const auto& [name, tensor] : scaler_->state_dict()) out.push_back(tensor);
    }
    out = on_cpu(out);
  }

  StepCase case_;
  nn::Sequential net_;
  std::unique_ptr<optim::Optimizer> optimizer_;
  std::optional<optim::GradScaler> scaler_;
  std::optional<optim::StepLR> schedule_;
  Tensors averages_;
  Tensor x_ = randn({4, 2, 6, 6}).to(kGpu), y_ = tensor({0, 2, 1, 1}).to(kGpu);
  std::vector<double> seen_;
  std::string report_;
};

class CudaTrainingStep : public testing::TestWithParam<StepCase> {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

TEST_P(CudaTrainingStep, HasTheBitsOfEager) {
  Rig eager(GetParam()), captured(GetParam());
  const Tensors expected = eager.train(false);
  EXPECT_EQ(difference(captured.train(true), expected), "");
  EXPECT_EQ(captured.seen(), eager.seen());
  const std::string graphs = GetParam().looks ? "2 CUDA graphs of " : "one CUDA graph of ";
  EXPECT_EQ(captured.report().find(graphs), 0U) << captured.report();
}

INSTANTIATE_TEST_SUITE_P(All, CudaTrainingStep, testing::ValuesIn(step_cases()),
                         [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace reprise::test
