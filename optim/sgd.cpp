#include "sgd.h"

#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/ops/update.h"

namespace reprise::optim {

SGD::SGD(const std::vector<Tensor>& params, const SGDOptions& options)
    : SGD(std::vector<Group>{{params, options}}) {}

SGD::SGD(const std::vector<Group>& groups) : Optimizer("SGD") {
  check_option(!groups.empty(), "at least one group of parameters, got none");
  for (const auto& [params, o] : groups) {
    check_option(o.momentum >= 0, "momentum >= 0, got ", o.momentum);
    check_option(o.weight_decay >= 0, "weight_decay >= 0, got ", o.weight_decay);
    check_option(!o.nesterov || (o.momentum > 0 && o.dampening == 0),
                 "momentum > 0 and no dampening with nesterov, got momentum ", o.momentum,
                 " and dampening ", o.dampening);
    add_group(params, o.lr);
    options_.push_back(o);
  }
}

void SGD::update(Slot& slot, const Tensor& grad, const Tensor& lr) {
  const SGDOptions& o = options_[slot.group];
  const bool first = slot.state.empty();
  if (first) {
    slot.state.push_back(o.momentum > 0 ? zeros_like(slot.param)
                                        : empty({0}, {.dtype = slot.param.dtype()}));
  }
  const SgdStep step{o.momentum, o.dampening, o.weight_decay, o.nesterov, first};
  dispatch(Model<SgdStep>(step), std::array{slot.param, grad, slot.state[0], lr});
}

}  // namespace reprise::optim
