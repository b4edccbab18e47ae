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

}  // namespace reprise::op_rows
