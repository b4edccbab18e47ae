#pragma once
// Reading and writing at indices along one dimension.

#include "../op.h"

namespace reprise {

/// (x, index int64) -> out[i][j][k] = x[i][index[i][j][k]][k] for dim 1. index has x's number of
/// dims and is no larger than x in the others. Index error for an index outside [0, size).
struct Gather {
  int dim;
  static constexpr std::string_view name = "gather";
  static constexpr unsigned save_in = 0b10;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (src, index) -> zeros of `shape` plus src at the places Gather reads: its transpose.
struct GatherGrad {
  int dim;
  Shape shape;
  static constexpr std::string_view name = "gather_grad";
  static constexpr unsigned save_in = 0b10;
  auto tie() const { return std::tuple(Attr("dim", dim), Attr("shape", shape)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
