#include "optimizer.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "../core/ops.h"

namespace reprise::optim {

void Optimizer::step() {
  NoGradGuard no_grad;
  for (Slot& slot : slots_) {
    const Tensor grad = slot.param.grad();
    if (grad.defined()) update(slot, grad, lrs_[slot.group]);
  }
}

void Optimizer::zero_grad(bool set_to_none) {
  NoGradGuard no_grad;
  for (const Slot& slot : slots_) {
    Tensor grad = slot.param.grad();
    if (!grad.defined()) continue;
    if (set_to_none)
      slot.param.set_grad({});
    else
      slot.param.set_grad(grad.detach().zero_());
  }
}

double Optimizer::lr(size_t group) const {
  check_group(group);
  return *lrs_[group].data<double>();
}

void Optimizer::set_lr(double lr, size_t group) {
  check_group(group);
  check_option(lr >= 0, "lr >= 0, got ", lr);
  lrs_[group].fill_(lr);
}

void Optimizer::set_lr(double lr) {
  for (size_t group = 0; group < num_groups(); ++group) set_lr(lr, group);
}

void Optimizer::add_group(std::span<const Tensor> params, double lr) {
  check_option(!params.empty(), "at least one parameter, got none");
  check_option(lr >= 0, "lr >= 0, got ", lr);
  const size_t group = lrs_.size();
  for (const Tensor& param : params) {
    check_option(param.is_leaf(), "leaves as parameters, got the result of an op");
    const auto same = [&](const Slot& slot) { return slot.param.ref() == param.ref(); };
    check_option(std::ranges::none_of(slots_, same), "each parameter once, got one of shape ",
                 param.shape(), " twice");
    slots_.push_back({param, group, {}});
  }
  lrs_.push_back(full({}, lr, {.dtype = float64}));
}

void Optimizer::check_group(size_t group) const {
  check(group < num_groups(), ErrorKind::Index, name_, ": expected a group below ", num_groups(),
        ", got ", group);
}

}  // namespace reprise::optim
