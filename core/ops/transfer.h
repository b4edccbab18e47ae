#pragma once
// Copies between devices.

#include "../tensor.h"

namespace reprise {

/// x (dense, on `from`) -> the same values on `to`, queued on the current stream of the GPU that
/// takes part. It has no kernel: the runtime of the device copies. `from` is where gradients go.
struct ToDevice {
  Device from, to;
  bool non_blocking = false;  ///< to and from pinned memory; of a call and not of a graph's
  static constexpr std::string_view name = "to_device";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  static constexpr bool crosses = true;
  auto tie() const { return std::tuple(Attr("from", from), Attr("to", to)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

namespace detail {

/// copy_ where the two lie on different devices.
Tensor& copy_across(Tensor& to, const Tensor& from, bool non_blocking);

}  // namespace detail
}  // namespace reprise
