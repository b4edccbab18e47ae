#pragma once

#include "optimizer.h"

namespace reprise::optim {

struct SGDOptions {
  double lr = 1e-3, momentum = 0, dampening = 0, weight_decay = 0;
  bool nesterov = false;
};

/// Stochastic gradient descent; the formula stands at SgdStep in core/ops/update.h. Value error for
/// negative options and for nesterov without momentum or with dampening.
class REPRISE_API SGD : public Optimizer {
 public:
  using Group = ParamGroup<SGDOptions>;

  explicit SGD(const std::vector<Tensor>& params, const SGDOptions& options = {});
  explicit SGD(const std::vector<Group>& groups);

 protected:
  Tensors start(const Tensor& param, size_t group) const override;

 private:
  std::vector<SGDOptions> options_;
};

}  // namespace reprise::optim
