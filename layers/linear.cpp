#include "linear.h"

#include "../core/ops.h"
#include "init.h"

namespace reprise::nn {

Linear::Linear(int64_t in_features, int64_t out_features, const LinearOptions& options) {
  check(in_features > 0, ErrorKind::Value, "Linear: expected in_features > 0, got ", in_features);
  check(out_features > 0, ErrorKind::Value, "Linear: expected out_features > 0, got ",
        out_features);
  const TensorOptions made{.dtype = options.dtype};
  weight_ = register_parameter("weight", empty({out_features, in_features}, made));
  bias_ = register_parameter("bias", options.bias ? empty({out_features}, made) : Tensor());
  reset_parameters();
}

void Linear::reset_parameters() { init::reset_weight_and_bias(weight_, bias_); }

Tensor Linear::forward(const Tensor& x) const { return linear(x, weight_, bias_); }

std::string Linear::extra_repr() const {
  return text("in_features=", weight_.size(1), ", out_features=", weight_.size(0),
              ", bias=", bias_.defined() ? "True" : "False");
}

}  // namespace reprise::nn
