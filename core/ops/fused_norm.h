#pragma once
// Batch normalisation in training with what follows it in the same pass over memory. Made by graph
// passes, after differentiation: they have no gradients.

#include "norm.h"

namespace reprise {

/// (x, weight, bias, running_mean, running_var, num_batches_tracked[, residual])
///   -> (relu(y + residual), mean, invstd) of what BatchNorm makes of the same operands. The
/// residual is like x, dense as x is. The same bits as the single ops.
struct FusedBatchNorm {
  double momentum = 0.1, eps = 1e-5;
  bool residual = false, relu = false;
  static constexpr std::string_view name = "fused_batch_norm";
  static constexpr bool half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  static constexpr unsigned writes = BatchNorm::writes;
  auto tie() const {
    return std::tuple(Attr("momentum", momentum), Attr("eps", eps), Attr("residual", residual),
                      Attr("relu", relu));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// batch_norm_grad(g, x, weight, mean, invstd) for the gradient g that a ReLU lets through.
/// (gy, x, weight, mean, invstd, bias) -> (gx, gweight, gbias), g = relu_grad(gy, y), where y is
/// what the normalisation made, computed again. With a `residual`, which y then contains:
/// (gy, x, weight, mean, invstd, y[, more]) -> (gx, gweight, gbias, g), g = relu_grad(gy + more,
/// y), the gradient of the residual. The same bits as the single ops.
struct FusedBatchNormGrad {
  bool residual = false;
  static constexpr std::string_view name = "fused_batch_norm_grad";
  static constexpr bool half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  static constexpr unsigned overwrites = 0b1;
  auto tie() const { return std::tuple(Attr("residual", residual)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
