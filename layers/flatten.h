#pragma once

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

/// Makes one dimension of those from start_dim to end_dim; the batch stays by default.
class REPRISE_API Flatten : public Layer<Flatten> {
 public:
  explicit Flatten(int64_t start_dim = 1, int64_t end_dim = -1)
      : start_dim_(start_dim), end_dim_(end_dim) {}
  Tensor forward(const Tensor& x) const { return flatten(x, start_dim_, end_dim_); }
  std::string extra_repr() const override {
    return text("start_dim=", start_dim_, ", end_dim=", end_dim_);
  }

 private:
  int64_t start_dim_, end_dim_;
};

}  // namespace reprise::nn
