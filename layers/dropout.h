#pragma once

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

/// In training zero with probability p, else x / (1 - p); x itself in eval mode. Value error unless
/// p is in [0, 1].
class REPRISE_API Dropout : public Layer<Dropout> {
 public:
  explicit Dropout(double p = 0.5) : p_(p) {
    check(p >= 0 && p <= 1, ErrorKind::Value, "Dropout: expected p in [0, 1], got ", p);
  }
  Tensor forward(const Tensor& x) const { return dropout(x, p_, is_training()); }
  std::string extra_repr() const override { return text("p=", p_, ", inplace=False"); }

 private:
  double p_;
};

}  // namespace reprise::nn
