#pragma once
// What is done to many tensors in one call, since each of them is small: on a GPU a launch takes
// longer than most of them. Passes make the first three of single calls, nn::clip_grad_norm_ and
// nn::clip_grad_value_ call the others.

#include "../op.h"

namespace reprise {

/// (x, ...) -> (copy, ...), each what Copy makes of it.
struct ForeachCopy {
  DType dtype;
  static constexpr std::string_view name = "foreach_copy";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("dtype", dtype)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (x, y, then more pairs) -> (): x += y, floating. y has the dtype of x, or 16 bits beside
/// float32.
struct ForeachAdd {
  static constexpr std::string_view name = "foreach_add";
  static constexpr unsigned writes = 0b01, writes_period = 2, writes_from = 0;
  static constexpr bool half_on_cuda = true;
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (x, ...) -> (): every element of each, all floating, becomes `value`.
struct ForeachFill {
  double value = 0;
  static constexpr std::string_view name = "foreach_fill";
  static constexpr unsigned writes = 0b1, writes_period = 1, writes_from = 0;
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("value", value)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (x, ...) -> (): every element of each, all floating, is brought into [-bound, bound]; NaN stays.
struct ForeachClamp {
  double bound = 1;
  static constexpr std::string_view name = "foreach_clamp";
  static constexpr unsigned writes = 0b1, writes_period = 1, writes_from = 0;
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("bound", bound)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (x, ...) -> (norm) of all as one vector: the root of the sum of squares or, with `largest`, the
/// largest absolute value; NaN counts as larger. float64 when any of them is, else float32. Each is
/// dense, in any order.
struct TotalNorm {
  bool largest = false;
  static constexpr std::string_view name = "total_norm";
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("largest", largest)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (norm, x, ...) -> (): each x, floating, is multiplied by factor(norm).
struct ClipWithNorm {
  double max_norm = 1;
  static constexpr std::string_view name = "clip_with_norm";
  static constexpr unsigned writes = 0b10, writes_period = 1, writes_from = 1;
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("max_norm", max_norm)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  /// min(1, max_norm / (norm + 1e-6)); NaN for a norm of NaN. Source: PyTorch,
  /// torch.nn.utils.clip_grad_norm_.
  REPRISE_HD double factor(double norm) const {
    const double f = max_norm / (norm + 1e-6);
    return f >= 1 ? 1 : f;
  }
};

}  // namespace reprise
