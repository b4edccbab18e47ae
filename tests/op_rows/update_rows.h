#pragma once
// Rows of core/ops/update.h: one step from given states, on copies.

#include "../../core/dispatch.h"
#include "../../core/ops/update.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

inline constexpr double kRate = 0.1;

inline Tensor number(double value, Device device) {
  return full({}, value, {.dtype = float64, .device = device});
}

inline Tensors copies(const Tensors& in) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(x.clone());
  return out;
}

/// PyTorch leaves the parameter out when there is no decay: a NaN in it stays there.
inline double decayed(double grad, double param, double weight_decay) {
  return weight_decay == 0 ? grad : grad + weight_decay * param;
}

/// Rows are called with (param, grad, then state) for each parameter, all of one shape.
inline OpRow update_row(std::string name, const std::vector<Shape>& params,
                        const std::vector<double>& lowest_of_state) {
  OpRow row;
  row.name = std::move(name);
  for (const Shape& shape : params) {
    row.operands.insert(row.operands.end(), {{shape}, {shape}});
    for (double low : lowest_of_state) row.operands.push_back({shape, low, 2});
  }
  row.sizes = elementwise_sizes(row.operands);
  row.differentiable = false;
  row.symbolic = false;
  return row;
}

/// Runs `op` on copies of parameters of `period` operands each, that have made `steps` steps, and
/// returns what it may have changed.
template <class T>
Tensors run_update(const T& op, const Tensors& in, size_t period, double steps) {
  const Tensors s = copies(in);
  const Device device = s[0].device();
  Tensors operands{number(kRate, device)}, out;
  for (size_t i = 0; i < s.size(); ++i) {
    operands.push_back(s[i]);
    if (i % period == period - 1) operands.push_back(number(steps, device));
    if (i % period != 1) out.push_back(s[i]);
  }
  dispatch(Model(op), operands);
  for (size_t i = period; i + 1 < operands.size(); i += period + 1) {
    const Tensor& counted = operands[i + 1];
    ensure(counted.is_traced() || counted.item<double>() == steps + 1, op.name,
           ": the step was not counted");
  }
  return out;
}

inline OpRow sgd_row(std::string name, const SgdStep& op, double steps = 3,
                     const std::vector<Shape>& params = {{4, 15}}) {
  OpRow row = update_row(std::move(name), params, {-2});
  row.f = [=](const Tensors& in) { return run_update(op, in, 3, steps); };
  row.reference = [=](const Arrays& in) {
    Arrays out;
    for (size_t k = 0; k < in.size(); k += 3) {
      Array p = in[k], v = in[k + 2];
      for (size_t i = 0; i < p.values.size(); ++i) {
        const double g = decayed(in[k + 1].values[i], p.values[i], op.weight_decay);
        double& velocity = v.values[i];
        if (op.momentum > 0) {
          velocity = steps == 0 ? g : op.momentum * velocity + (1 - op.dampening) * g;
        }
        const double step = op.momentum == 0 ? g
                            : op.nesterov    ? g + op.momentum * velocity
                                             : velocity;
        p.values[i] -= kRate * step;
      }
      out.insert(out.end(), {p, v});
    }
    return out;
  };
  return row;
}

REPRISE_ROW(SgdStep, sgd_row("sgd_step", {}),
            sgd_row("sgd_step_momentum", {.momentum = 0.9, .dampening = 0.5, .weight_decay = 0.01}),
            sgd_row("sgd_step_first", {.momentum = 0.9, .dampening = 0.5}, 0),
            sgd_row("sgd_step_nesterov", {.momentum = 0.9, .nesterov = true}),
            sgd_row("sgd_step_many", {.momentum = 0.9}, 1, {{4, 15}, {7}, {2, 3, 4}}))

inline OpRow adam_row(std::string name, const AdamStep& op,
                      const std::vector<Shape>& params = {{4, 15}}) {
  constexpr double kSteps = 2;
  OpRow row = update_row(std::move(name), params, {-2, 0.1, 0.1});
  row.f = [op](const Tensors& in) { return run_update(op, in, 5, kSteps); };
  row.reference = [op](const Arrays& in) {
    const double c1 = 1 - std::pow(op.beta1, kSteps + 1), c2 = 1 - std::pow(op.beta2, kSteps + 1);
    Arrays out;
    for (size_t k = 0; k < in.size(); k += 5) {
      Array p = in[k], m = in[k + 2], v = in[k + 3], top = in[k + 4];
      for (size_t i = 0; i < p.values.size(); ++i) {
        const double g = decayed(in[k + 1].values[i], p.values[i], op.weight_decay);
        m.values[i] = op.beta1 * m.values[i] + (1 - op.beta1) * g;
        v.values[i] = op.beta2 * v.values[i] + (1 - op.beta2) * g * g;
        if (op.amsgrad) top.values[i] = nan_max(v.values[i], top.values[i]);
        const double second = op.amsgrad ? top.values[i] : v.values[i];
        p.values[i] -= kRate / c1 * m.values[i] / (std::sqrt(second / c2) + op.eps);
      }
      out.insert(out.end(), {p, m, v, top});
    }
    return out;
  };
  return row;
}

REPRISE_ROW(AdamStep, adam_row("adam_step", {}),
            adam_row("adam_step_options",
                     {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1}),
            adam_row("adam_step_amsgrad", {.amsgrad = true}),
            adam_row("adam_step_many", {}, {{5}, {3, 20}}))

}  // namespace reprise::op_rows
