#pragma once

#include "optimizer.h"

namespace reprise::optim {

struct AdamOptions {
  double lr = 1e-3;
  std::array<double, 2> betas{0.9, 0.999};
  double eps = 1e-8, weight_decay = 0;
  bool amsgrad = false;
};

/// Adam (Kingma and Ba, 2015; amsgrad: Reddi et al., 2018); the formula stands at AdamStep in
/// core/ops/update.h. Value error for negative options and betas outside [0, 1).
class REPRISE_API Adam : public Optimizer {
 public:
  using Group = ParamGroup<AdamOptions>;

  explicit Adam(const std::vector<Tensor>& params, const AdamOptions& options = {});
  explicit Adam(const std::vector<Group>& groups);

 protected:
  Tensors start(const Tensor& param, size_t group) const override;

 private:
  std::vector<AdamOptions> options_;
};

}  // namespace reprise::optim
