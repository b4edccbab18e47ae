#include "sgd.h"

#include "../core/model.h"
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
    const SgdStep step{o.momentum, o.dampening, o.weight_decay, o.nesterov};
    add_group(params, o.lr, Model(step).keep());
    options_.push_back(o);
  }
}

Tensors SGD::start(const Tensor& param, size_t group) const {
  Tensor velocity = options_[group].momentum > 0 ? zeros_like(param) : unused_like(param);
  return {std::move(velocity), zeros({}, {.dtype = float64, .device = param.device()})};
}

}  // namespace reprise::optim
