#pragma once
// Optimizer steps: parameters and their state updated in place. The learning rate is a 0-dim
// float64 tensor that is read when the op runs, so that a recorded step follows a schedule; the
// steps of each parameter are counted in another one, so that a replayed step goes on counting. A
// learning rate of NaN says that the step is not to be taken: nothing changes, nor does a count.
// Gradients and state have the dtype of their parameter, but the gradient of a float32 parameter
// may have 16 bits: passes leave out casts that change no value.

#include "../op.h"

namespace reprise {

/// (lr, then for each parameter: param, grad, velocity, step) -> (). velocity is used when
/// momentum > 0 and may else be empty ({0}); step is raised by one before it is used.
/// g = grad + weight_decay param; v = momentum v + (1 - dampening) g (when step is 1: v = g);
/// param -= lr (nesterov ? g + momentum v : v). Source: PyTorch, torch.optim.SGD.
struct SgdStep {
  double momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
  static constexpr std::string_view name = "sgd_step";
  static constexpr unsigned writes = 0b11010, writes_from = 1, writes_period = 4;
  static constexpr bool half_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("momentum", momentum), Attr("dampening", dampening),
                      Attr("weight_decay", weight_decay), Attr("nesterov", nesterov));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (lr, then for each parameter: param, grad, exp_avg, exp_avg_sq, max_exp_avg_sq, step) -> ();
/// Kingma and Ba, 2015, algorithm 1 with the bias corrections in the step size as PyTorch does.
/// max_exp_avg_sq, the largest exp_avg_sq so far, is used with amsgrad and may else be empty ({0});
/// step is raised by one before it is used.
struct AdamStep {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8, weight_decay = 0;
  bool amsgrad = false;
  static constexpr std::string_view name = "adam_step";
  static constexpr unsigned writes = 0b1111010, writes_from = 1, writes_period = 6;
  static constexpr bool half_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("beta1", beta1), Attr("beta2", beta2), Attr("eps", eps),
                      Attr("weight_decay", weight_decay), Attr("amsgrad", amsgrad));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
