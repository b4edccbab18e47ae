#pragma once

#include "layer.h"

namespace reprise::nn {

struct LinearOptions {
  bool bias = true;
  DType dtype = float32;
};

/// x [.., in_features] -> x weight^T + bias [.., out_features]; weight [out, in], bias [out].
/// Value error for features below 1.
class REPRISE_API Linear : public Layer<Linear> {
 public:
  Linear(int64_t in_features, int64_t out_features, const LinearOptions& options = {});

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }  ///< undefined when there is none
  /// New random values as PyTorch draws them (init.h).
  void reset_parameters();
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  Parameter weight_, bias_;
};

}  // namespace reprise::nn
