#pragma once
// The operands of a row as tensors, and other layouts of the same values.

#include "row.h"

namespace reprise::op_rows {

inline Tensors draw_all(const std::vector<Operand>& operands, DType real) {
  Tensors out;
  for (const Operand& o : operands) out.push_back(draw(o, real, 1 + out.size()));
  return out;
}

/// Half the distance between 1 and the next number.
inline double rounding_of(DType dtype) { return dtype == float16 ? 0x1p-11 : 0x1p-8; }

inline Tensors converted(const Tensors& in, DType from, DType to) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(x.dtype() == from ? x.to(to) : x);
  return out;
}

/// The same values behind other strides: dimensions laid out in reverse order.
inline Tensor transposed_layout(const Tensor& x) {
  Shape reversed;
  for (int d = x.dim(); d-- > 0;) reversed.push_back(d);
  return x.permute(reversed).clone().permute(reversed);
}

/// The same values as every second element of a larger tensor, behind an offset.
inline Tensor sliced_layout(const Tensor& x) {
  if (x.dim() == 0) return x;
  const Tensor apart = stack({x, x}, x.dim());  // [.., 2]
  Shape shape = x.shape();
  shape[shape.size() - 1] *= 2;
  const Tensor wide = apart.reshape(shape);
  return cat({wide.slice(-1, 0, 1), wide}, -1).slice(-1, 1, {}, 2);
}

/// The same values channels-last, where there are 4 dimensions.
inline Tensor channels_last_layout(const Tensor& x) { return detail::dense(x, channels_last); }

inline constexpr auto kLayouts = {transposed_layout, sliced_layout, channels_last_layout};

/// What is wrong with the memory formats of what a row gave for such operands; empty when nothing.
inline std::string format_fault(const OpRow& row, const Tensors& in, const Tensors& out) {
  const auto is_last = [](const Tensor& x) { return x.meta().is_channels_last(); };
  const bool expected = row.follows_format && std::ranges::any_of(in, is_last);
  for (const Tensor& y : out) {
    if (y.dim() != 4 || is_last(y) == expected) continue;
    return text("a result ", y.shape(), " has strides ", y.strides());
  }
  return {};
}

}  // namespace reprise::op_rows
