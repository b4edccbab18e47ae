#pragma once
// What a gradient scaler (optim/grad_scaler.h) does where the gradients lie: one call for all of
// them, and one for the next scale. Source: PyTorch, torch.amp.GradScaler.

#include "../op.h"

namespace reprise {

/// (scale, then any number of gradients) -> (found_inf), a 0-dim float32: 1 when a gradient is
/// infinite or NaN, else 0. Each gradient is multiplied in place by 1 / scale, a 0-dim float32.
struct Unscale {
  static constexpr std::string_view name = "unscale";
  static constexpr unsigned writes = 0b10, writes_from = 1, writes_period = 1;
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (scale, growth_tracker, found_inf) -> (): 0-dim float32, int32 and float32. When found_inf is
/// not 0 the scale is multiplied by backoff_factor and the tracker, which counts, begins anew. Else
/// it is raised; at growth_interval the scale is multiplied by growth_factor, unless it would
/// become infinite, and the tracker begins anew.
struct UpdateScale {
  double growth_factor = 2, backoff_factor = 0.5;
  int64_t growth_interval = 2000;
  static constexpr std::string_view name = "update_scale";
  static constexpr unsigned writes = 0b11;
  auto tie() const {
    return std::tuple(Attr("growth_factor", growth_factor), Attr("backoff_factor", backoff_factor),
                      Attr("growth_interval", growth_interval));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  /// What both kernels compute.
  REPRISE_HD void operator()(float& scale, int32_t& tracker, bool failed) const {
    if (failed) {
      scale = static_cast<float>(scale * backoff_factor);
      tracker = 0;
    } else if (++tracker == growth_interval) {
      const auto larger = static_cast<float>(scale * growth_factor);
      if (larger - larger == 0) scale = larger;
      tracker = 0;
    }
  }
};

}  // namespace reprise
