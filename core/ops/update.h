#pragma once
// Optimizer steps: one parameter and its state updated in place. The learning rate is a 0-dim
// float64 tensor, so that a recorded step follows a schedule.

#include "../op.h"

namespace reprise {

/// (param, grad, velocity, lr) -> (); velocity is used when momentum > 0 and may else be empty.
/// g = grad + weight_decay param; v = momentum v + (1 - dampening) g (first step: v = g);
/// param -= lr (nesterov ? g + momentum v : v). Source: PyTorch, torch.optim.SGD.
struct SgdStep {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false, first = false;
  static constexpr std::string_view name = "sgd_step";
  static constexpr unsigned writes = 0b0101;
  auto tie() const {
    return std::tuple(Attr("momentum", momentum), Attr("dampening", dampening),
                      Attr("weight_decay", weight_decay), Attr("nesterov", nesterov),
                      Attr("first", first));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (param, grad, exp_avg, exp_avg_sq, step (0-dim float64), lr) -> (); Kingma and Ba, 2015,
/// algorithm 1 with the bias corrections in the step size as PyTorch does. `step` already counts
/// this step. `amsgrad` adds a seventh input: the largest exp_avg_sq so far.
struct AdamStep {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool amsgrad = false;
  static constexpr std::string_view name = "adam_step";
  static constexpr unsigned writes = 0b1001101;
  auto tie() const {
    return std::tuple(Attr("beta1", beta1), Attr("beta2", beta2), Attr("eps", eps),
                      Attr("weight_decay", weight_decay), Attr("amsgrad", amsgrad));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
