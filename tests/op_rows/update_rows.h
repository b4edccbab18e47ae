#pragma once
// Rows of core/ops/update.h: one step from given states, on copies.

#include "../../core/dispatch.h"
#include "../../core/ops/update.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

inline constexpr double kRate = 0.1;

inline Tensor number(double value) { return full({}, value, {.dtype = float64}); }

inline Tensors copies(const Tensors& in) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(x.clone());
  return out;
}

/// PyTorch leaves the parameter out when there is no decay: a NaN in it stays there.
inline double decayed(double grad, double param, double weight_decay) {
  return weight_decay == 0 ? grad : grad + weight_decay * param;
}

inline OpRow update_row(std::string name, std::vector<Operand> operands) {
  OpRow row;
  row.name = std::move(name);
  row.operands = std::move(operands);
  row.sizes = elementwise_sizes(row.operands);
  row.differentiable = false;
  row.symbolic = false;
  return row;
}

inline OpRow sgd_row(std::string name, const SgdStep& op) {
  OpRow row = update_row(std::move(name), {{{4, 15}}, {{4, 15}}, {{4, 15}}});
  row.f = [op](const Tensors& in) {
    const Tensors s = copies(in);
    dispatch(Model(op), std::array{s[0], s[1], s[2], number(kRate)});
    return Tensors{s[0], s[2]};
  };
  row.reference = [op](const Arrays& in) {
    Array p = in[0], v = in[2];
    for (size_t i = 0; i < p.values.size(); ++i) {
      const double g = decayed(in[1].values[i], p.values[i], op.weight_decay);
      double& velocity = v.values[i];
      if (op.momentum > 0) {
        velocity = op.first ? g : op.momentum * velocity + (1 - op.dampening) * g;
      }
      const double step = op.momentum == 0 ? g
                          : op.nesterov    ? g + op.momentum * velocity
                                           : velocity;
      p.values[i] -= kRate * step;
    }
    return Arrays{p, v};
  };
  return row;
}

REPRISE_ROW(SgdStep, sgd_row("sgd_step", {}),
            sgd_row("sgd_step_momentum", {.momentum = 0.9, .dampening = 0.5, .weight_decay = 0.01}),
            sgd_row("sgd_step_first", {.momentum = 0.9, .dampening = 0.5, .first = true}),
            sgd_row("sgd_step_nesterov", {.momentum = 0.9, .nesterov = true}))

inline OpRow adam_row(std::string name, const AdamStep& op) {
  constexpr double kStep = 3;
  const Shape shape{4, 15};
  OpRow row =
      update_row(std::move(name), {{shape}, {shape}, {shape}, {shape, 0.1, 2}, {shape, 0.1, 2}});
  row.f = [op](const Tensors& in) {
    const Tensors s = copies(in);
    Tensors operands{s[0], s[1], s[2], s[3], number(kStep), number(kRate)};
    if (op.amsgrad) operands.push_back(s[4]);
    dispatch(Model(op), operands);
    return Tensors{s[0], s[2], s[3], s[4]};
  };
  row.reference = [op](const Arrays& in) {
    Array p = in[0], m = in[2], v = in[3], top = in[4];
    const double c1 = 1 - std::pow(op.beta1, kStep), c2 = 1 - std::pow(op.beta2, kStep);
    for (size_t i = 0; i < p.values.size(); ++i) {
      const double g = decayed(in[1].values[i], p.values[i], op.weight_decay);
      m.values[i] = op.beta1 * m.values[i] + (1 - op.beta1) * g;
      v.values[i] = op.beta2 * v.values[i] + (1 - op.beta2) * g * g;
      if (op.amsgrad) top.values[i] = nan_max(v.values[i], top.values[i]);
      const double second = op.amsgrad ? top.values[i] : v.values[i];
      p.values[i] -= kRate / c1 * m.values[i] / (std::sqrt(second / c2) + op.eps);
    }
    return Arrays{p, m, v, top};
  };
  return row;
}

REPRISE_ROW(AdamStep, adam_row("adam_step", {}),
            adam_row("adam_step_options",
                     {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1}),
            adam_row("adam_step_amsgrad", {.amsgrad = true}))

}  // namespace reprise::op_rows
