#pragma once

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

struct Conv2dOptions {
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  bool bias = true;
  DType dtype = float32;
};

/// x [N, in, H, W] or [in, H, W] -> [N, out, OH, OW] or [out, OH, OW], see conv2d in core/ops.h.
/// weight [out, in/groups, KH, KW], bias [out]. Value error for sizes below 1 and channels that
/// groups does not divide.
class REPRISE_API Conv2d : public Layer<Conv2d> {
 public:
  Conv2d(int64_t in_channels, int64_t out_channels, Pair kernel_size,
         const Conv2dOptions& options = {});

  const Tensor& weight() const { return weight_; }
  const Tensor& bias() const { return bias_; }  ///< undefined when there is none
  /// New random values as PyTorch draws them (init.h).
  void reset_parameters();
  Tensor forward(const Tensor& x) const;
  std::string extra_repr() const override;

 private:
  reprise::Conv2dOptions options_;
  Parameter weight_, bias_;
};

}  // namespace reprise::nn
