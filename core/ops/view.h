#pragma once
// Views: outputs that share the storage of their input. They have no kernel; SliceGrad, the
// gradient of one, has.

#include "../op.h"

namespace reprise {

/// The same elements in another shape (given in full). Shape error when the strides do not allow
/// it.
struct ViewAs {
  Shape shape;
  static constexpr std::string_view name = "view";
  static constexpr bool alias = true;
  auto tie() const { return std::tuple(Attr("shape", shape)); }
  Metas infer(std::span<const Meta> in) const;
  Tensors vjp(const Vjp& v) const;
};

/// Dimension i of the output is dimension dims[i] of the input.
struct Permute {
  Shape dims;
  static constexpr std::string_view name = "permute";
  static constexpr bool alias = true;
  auto tie() const { return std::tuple(Attr("dims", dims)); }
  Metas infer(std::span<const Meta> in) const;
  Tensors vjp(const Vjp& v) const;
};

/// Repeats dimensions of size 1, and new leading ones, by stride 0.
struct Expand {
  Shape shape;
  static constexpr std::string_view name = "expand";
  static constexpr bool alias = true;
  auto tie() const { return std::tuple(Attr("shape", shape)); }
  Metas infer(std::span<const Meta> in) const;
  Tensors vjp(const Vjp& v) const;
};

/// `size` elements of one dimension from `start`, every `step`-th. 0 <= start, step > 0.
struct StridedSlice {
  int dim;
  int64_t start, size, step;
  static constexpr std::string_view name = "slice";
  static constexpr bool alias = true;
  auto tie() const {
    return std::tuple(Attr("dim", dim), Attr("start", start), Attr("size", size),
                      Attr("step", step));
  }
  Metas infer(std::span<const Meta> in) const;
  int64_t offset(const Meta& in) const;
  Tensors vjp(const Vjp& v) const;
};

/// gy -> zeros with gy at the places of the slice, in a dimension of `full` elements.
struct SliceGrad {
  StridedSlice slice;
  int64_t full;
  static constexpr std::string_view name = "slice_grad";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  auto tie() const { return std::tuple_cat(slice.tie(), std::tuple(Attr("full", full))); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
