#pragma once
// Losses as layers of (prediction, target).

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

using reprise::CrossEntropyOptions;
using reprise::Reduction;

/// x [N, C, ...] logits, target [N, ...] class indices; see cross_entropy. The weight of the
/// classes is the buffer "weight".
class REPRISE_API CrossEntropyLoss : public Layer<CrossEntropyLoss> {
 public:
  explicit CrossEntropyLoss(const CrossEntropyOptions& options = {})
      : options_(options), weight_(register_buffer("weight", options.weight)) {
    options_.weight = {};
  }
  Tensor forward(const Tensor& x, const Tensor& target) const {
    CrossEntropyOptions options = options_;
    options.weight = weight_;
    return cross_entropy(x, target, options);
  }

 private:
  CrossEntropyOptions options_;  ///< without the weight
  Buffer weight_;
};

/// (x - target)^2
class REPRISE_API MSELoss : public Layer<MSELoss> {
 public:
  explicit MSELoss(Reduction reduction = Reduction::mean) : reduction_(reduction) {}
  Tensor forward(const Tensor& x, const Tensor& target) const {
    return mse_loss(x, target, reduction_);
  }

 private:
  Reduction reduction_;
};

}  // namespace reprise::nn
