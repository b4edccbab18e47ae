#pragma once
// Reading and writing at indices along one dimension. On a CUDA device an index out of range reads
// 0, nothing is added at one, and the Index error is thrown by the next call that waits.

#include "../op.h"

namespace reprise {

/// (x, index int64) -> out[i][j][k] = x[i][index[i][j][k]][k] for dim 1. index has x's number of
/// dims and is no larger than x in the others. Index error for an index outside [0, size).
struct Gather {
  int dim;
  static constexpr std::string_view name = "gather";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
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
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  auto tie() const { return std::tuple(Attr("dim", dim), Attr("shape", shape)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (x, index int64 [n]) -> x with row index[i] of `dim` as row i. Negative indices count from the
/// back; Index error for one outside [-size, size).
struct IndexSelect {
  int dim;
  static constexpr std::string_view name = "index_select";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  auto tie() const { return std::tuple(Attr("dim", dim)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (src, index) -> zeros with `size` rows in `dim`, plus row i of src at index[i]: its transpose.
struct IndexSelectGrad {
  int dim;
  int64_t size;
  static constexpr std::string_view name = "index_select_grad";
  static constexpr bool half_on_cuda = true;
  static constexpr unsigned save_in = 0b10;
  auto tie() const { return std::tuple(Attr("dim", dim), Attr("size", size)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
