#include "batch_norm.h"

#include "../core/ops.h"

namespace reprise::nn {

template <class Self>
BatchNorm<Self>::BatchNorm(int64_t num_features, const BatchNormOptions& options)
    : num_features_(num_features), options_(options) {
  check(num_features > 0, ErrorKind::Value, this->name(), ": expected num_features > 0, got ",
        num_features);
  const TensorOptions made{.dtype = options.dtype};
  if (options.affine) {
    weight_ = this->register_parameter("weight", ones({num_features}, made));
    bias_ = this->register_parameter("bias", zeros({num_features}, made));
  }
  if (options.track_running_stats) {
    running_mean_ = this->register_buffer("running_mean", zeros({num_features}, made));
    running_var_ = this->register_buffer("running_var", ones({num_features}, made));
    num_batches_tracked_ =
        this->register_buffer("num_batches_tracked", zeros({}, {.dtype = int64}));
  }
}

template <class Self>
Tensor BatchNorm<Self>::forward(const Tensor& x) const {
  check(x.dim() >= Self::min_dim && x.dim() <= Self::max_dim, ErrorKind::Shape,
        "batch_norm: expected x of ", Self::min_dim == 2 ? "2 or 3" : "4", " dimensions, got ",
        x.shape());
  check(x.size(1) == num_features_, ErrorKind::Shape, "batch_norm: expected x of ", num_features_,
        " channels, got ", x.shape());
  return batch_norm(x, running_mean_, running_var_, weight_, bias_,
                    {.training = this->is_training() || !running_mean_.defined(),
                     .momentum = options_.momentum,
                     .eps = options_.eps},
                    num_batches_tracked_);
}

template <class Self>
std::string BatchNorm<Self>::extra_repr() const {
  return text(num_features_, ", eps=", options_.eps,
              ", momentum=", options_.momentum ? text(*options_.momentum) : "None",
              ", affine=", options_.affine ? "True" : "False",
              ", track_running_stats=", options_.track_running_stats ? "True" : "False");
}

template class BatchNorm<BatchNorm1d>;
template class BatchNorm<BatchNorm2d>;

}  // namespace reprise::nn
