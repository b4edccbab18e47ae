#pragma once
// Batch normalisation of x [N, C, ...], dense in either memory format, with statistics of this
// batch (Ioffe and Szegedy, 2015).

#include "../op.h"

namespace reprise {

/// (x, weight [C], bias [C], running_mean [C], running_var [C], num_batches_tracked [])
///   -> (y, mean [C], invstd [C])
/// y = (x - mean) * invstd * weight + bias, invstd = 1 / sqrt(var + eps), var over N (biased).
/// running = (1 - m) running + m batch, with the unbiased variance; m = momentum, or
/// 1 / num_batches_tracked after counting this batch when momentum < 0 (cumulative average).
struct BatchNorm {
  double momentum = 0.1, eps = 1e-5;
  static constexpr std::string_view name = "batch_norm";
  static constexpr bool half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  static constexpr unsigned save_in = 0b000011, save_out = 0b110, writes = 0b111000;
  auto tie() const { return std::tuple(Attr("momentum", momentum), Attr("eps", eps)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (gy, x, weight, mean, invstd) -> (gx, gweight, gbias) for statistics that depend on x.
struct BatchNormGrad {
  static constexpr std::string_view name = "batch_norm_grad";
  static constexpr bool half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
