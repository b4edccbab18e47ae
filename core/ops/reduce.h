#pragma once
// Reductions over one or more dimensions.

#include "../op.h"

namespace reprise {

/// Sum over the dimensions in `dims` (wrapped, sorted, at least one unless the input has none).
/// Floats are summed pairwise or in blocks; integers and bool sum to int64.
struct Sum {
  Shape dims;
  bool keepdim;
  static constexpr std::string_view name = "sum";
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("dims", dims), Attr("keepdim", keepdim)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// Largest (or smallest) value over one dimension and its first index (int64). NaN counts as
/// largest and as smallest, as in PyTorch.
struct MaxDim {
  int dim;
  bool keepdim;
  bool largest = true;
  static constexpr std::string_view name = "max";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_out = 0b10;
  auto tie() const {
    return std::tuple(Attr("dim", dim), Attr("keepdim", keepdim), Attr("largest", largest));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
