#include "optimizer.h"

#include <algorithm>
#include <limits>

#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "../core/ops.h"

namespace reprise::optim {
namespace {

constexpr double kNoStep = std::numeric_limits<double>::quiet_NaN();  // core/ops/update.h

}  // namespace

void Optimizer::step(const Tensor& skip) {
  NoGradGuard no_grad;
  // A trace moves each call to where its gradient is made. Longer lists took longer to make than
  // the calls that they saved.
  const size_t together = interpreter() == nullptr ? 32 : 1;
  std::vector<Tensors> operands(num_groups());
  for (Slot& slot : slots_) {
    const Tensor grad = slot.param.grad();
    if (!grad.defined()) continue;
    prepare(slot);
    Tensors& in = operands[slot.group];
    if (in.empty()) in.push_back(rate(slot.group, skip));
    in.push_back(slot.param);
    in.push_back(grad);
    for (const Tensor& tensor : slot.state) in.push_back(tensor);
    if (in.size() <= together * (2 + slot.state.size())) continue;
    dispatch(*groups_[slot.group].step, in);
    in = {in.front()};
  }
  for (size_t group = 0; group < num_groups(); ++group) {
    if (operands[group].size() > 1) dispatch(*groups_[group].step, operands[group]);
  }
}

Tensor Optimizer::rate(size_t group, const Tensor& skip) const {
  const Tensor& lr = groups_[group].lr;
  return skip.defined() ? where(skip.to(lr.device()) != 0, kNoStep, lr) : lr;
}

void Optimizer::prepare(Slot& slot) {
  const Device device = slot.param.device();
  Tensor& lr = groups_[slot.group].lr;
  const bool moved =
      lr.device() != device || (!slot.state.empty() && slot.state.front().device() != device);
  if (!slot.state.empty() && !moved) [[likely]]
    return;
  const InterpreterGuard eager(nullptr);  // also in a trace, which a replay must not begin anew
  if (lr.device() != device) {
    for (const Slot& other : slots_) {
      check(other.group != slot.group || other.param.device() == device, ErrorKind::Device, name_,
            ": expected the parameters of a group on one device, got some on ", device, " and on ",
            other.param.device(), "; make a group for each device");
    }
    lr = lr.to(device);
  }
  if (slot.state.empty()) slot.state = start(slot.param, slot.group);
  for (Tensor& tensor : slot.state) tensor = tensor.to(device);
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

std::vector<Tensor> Optimizer::parameters() const {
  std::vector<Tensor> out;
  for (const Slot& slot : slots_) out.push_back(slot.param);
  return out;
}

double Optimizer::lr(size_t group) const {
  check_group(group);
  return groups_[group].lr.item<double>();
}

void Optimizer::set_lr(double lr, size_t group) {
  check_group(group);
  check_option(lr >= 0, "lr >= 0, got ", lr);
  groups_[group].lr.fill_(lr);
}

void Optimizer::set_lr(double lr) {
  for (size_t group = 0; group < num_groups(); ++group) set_lr(lr, group);
}

std::vector<Tensor> Optimizer::state() const {
  std::vector<Tensor> out;
  for (const Group& group : groups_) out.push_back(group.lr);
  for (const Slot& slot : slots_) out.insert(out.end(), slot.state.begin(), slot.state.end());
  return out;
}

void Optimizer::add_group(std::span<const Tensor> params, double lr, OpRef step) {
  check_option(!params.empty(), "at least one parameter, got none");
  check_option(lr >= 0, "lr >= 0, got ", lr);
  const size_t group = num_groups();
  for (const Tensor& param : params) {
    check_option(param.is_leaf(), "leaves as parameters, got the result of an op");
    const auto same = [&](const Slot& slot) { return slot.param.ref() == param.ref(); };
    check_option(std::ranges::none_of(slots_, same), "each parameter once, got one of shape ",
                 param.shape(), " twice");
    slots_.push_back({param, group, {}});
  }
  const Device device = params.front().device();  // kernels read the rate where they run
  groups_.push_back({full({}, lr, {.dtype = float64, .device = device}), std::move(step)});
}

void Optimizer::check_group(size_t group) const {
  check(group < num_groups(), ErrorKind::Index, name_, ": expected a group below ", num_groups(),
        ", got ", group);
}

Tensor unused_like(const Tensor& param) {
  return empty({0}, {.dtype = param.dtype(), .device = param.device()});
}

}  // namespace reprise::optim
