#include "adam.h"

#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/ops/update.h"

namespace reprise::optim {
namespace {

/// What Adam keeps of a parameter, in the order AdamStep takes it.
enum : size_t { kMean, kSquare, kStep, kMaxSquare };

}  // namespace

Adam::Adam(const std::vector<Tensor>& params, const AdamOptions& options)
    : Adam(std::vector<Group>{{params, options}}) {}

Adam::Adam(const std::vector<Group>& groups)
    : Optimizer("Adam"), one_(ones({}, {.dtype = float64})) {
  check_option(!groups.empty(), "at least one group of parameters, got none");
  for (const auto& [params, o] : groups) {
    for (const double beta : o.betas) {
      check_option(beta >= 0 && beta < 1, "betas in [0, 1), got ", beta);
    }
    check_option(o.eps >= 0, "eps >= 0, got ", o.eps);
    check_option(o.weight_decay >= 0, "weight_decay >= 0, got ", o.weight_decay);
    add_group(params, o.lr);
    options_.push_back(o);
  }
}

void Adam::update(Slot& slot, const Tensor& grad, const Tensor& lr) {
  const AdamOptions& o = options_[slot.group];
  Tensors& state = slot.state;
  if (state.empty()) {
    state = {zeros_like(slot.param), zeros_like(slot.param), zeros({}, {.dtype = float64})};
    if (o.amsgrad) state.push_back(zeros_like(slot.param));
  }
  state[kStep].add_(one_);
  const Model<AdamStep> step({o.betas[0], o.betas[1], o.eps, o.weight_decay, o.amsgrad});
  const std::array common{slot.param, grad, state[kMean], state[kSquare], state[kStep], lr};
  if (!o.amsgrad) {
    dispatch(step, common);
    return;
  }
  Tensors in(common);
  in.push_back(state[kMaxSquare]);
  dispatch(step, in);
}

}  // namespace reprise::optim
