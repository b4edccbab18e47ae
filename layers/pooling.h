#pragma once
// Pooling over windows of x [N, C, H, W] or [C, H, W]; see core/ops.h.

#include "../core/ops.h"
#include "layer.h"

namespace reprise::nn {

using reprise::AvgPool2dOptions;
using reprise::MaxPool2dOptions;

/// The largest value of each window. Value error for an empty window, a stride or dilation below 1,
/// or a padding beyond half a window.
class REPRISE_API MaxPool2d : public Layer<MaxPool2d> {
 public:
  explicit MaxPool2d(Pair kernel_size, const MaxPool2dOptions& options = {});
  Tensor forward(const Tensor& x) const { return max_pool2d(x, kernel_size_, options_); }
  std::string extra_repr() const override;

 private:
  Pair kernel_size_;
  MaxPool2dOptions options_;
};

/// The mean of each window. Errors as for MaxPool2d.
class REPRISE_API AvgPool2d : public Layer<AvgPool2d> {
 public:
  explicit AvgPool2d(Pair kernel_size, const AvgPool2dOptions& options = {});
  Tensor forward(const Tensor& x) const { return avg_pool2d(x, kernel_size_, options_); }
  std::string extra_repr() const override;

 private:
  Pair kernel_size_;
  AvgPool2dOptions options_;
};

}  // namespace reprise::nn
