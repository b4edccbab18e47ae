#include "adam.h"

#include "../core/model.h"
#include "../core/ops.h"
#include "../core/ops/update.h"

namespace reprise::optim {

Adam::Adam(const std::vector<Tensor>& params, const AdamOptions& options)
    : Adam(std::vector<Group>{{params, options}}) {}

Adam::Adam(const std::vector<Group>& groups) : Optimizer("Adam") {
  check_option(!groups.empty(), "at least one group of parameters, got none");
  for (const auto& [params, o] : groups) {
    for (const double beta : o.betas) {
      check_option(beta >= 0 && beta < 1, "betas in [0, 1), got ", beta);
    }
    check_option(o.eps >= 0, "eps >= 0, got ", o.eps);
    check_option(o.weight_decay >= 0, "weight_decay >= 0, got ", o.weight_decay);
    const AdamStep step{o.betas[0], o.betas[1], o.eps, o.weight_decay, o.amsgrad};
    add_group(params, o.lr, Model(step).keep());
    options_.push_back(o);
  }
}

Tensors Adam::start(const Tensor& param, size_t group) const {
  Tensor largest = options_[group].amsgrad ? zeros_like(param) : unused_like(param);
  Tensor steps = zeros({}, {.dtype = float64, .device = param.device()});
  return {zeros_like(param), zeros_like(param), std::move(largest), std::move(steps)};
}

}  // namespace reprise::optim
