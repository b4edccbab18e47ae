#pragma once
// Rows of core/ops/fused_pool.h. None of them has a gradient: graphs are fused after
// differentiation.

#include "../../core/ops/fused_pool.h"
#include "pool_rows.h"

namespace reprise::op_rows {

inline OpRows not_differentiable(OpRows rows) {
  for (OpRow& row : rows) row.differentiable = false;
  return rows;
}

/// An index into the image as a place in the window of output `i`.
inline int64_t place_in_window(const PoolCase& c, const Shape& i, int64_t index) {
  const int64_t top = i[2] * c.stride.h - c.padding.h, left = i[3] * c.stride.w - c.padding.w;
  return (index / c.x[3] - top) * c.kernel.w + index % c.x[3] - left;
}

template <>
struct RowsOf<FusedMaxPool2d> {
  static OpRows make() {
    return not_differentiable(pool_rows(
        "fused_max_pool2d",
        [](const PoolCase& c, const Tensors& in) {
          const FusedMaxPool2d op{max_attributes(c)};
          return dispatch(Model(op), dense(in));
        },
        [](const PoolCase& c, const Arrays& in) {
          Arrays out = max_of_windows(c, in[0]);
          for_each_index(c.y, [&](const Shape& i) {
            const auto index = static_cast<int64_t>(out[1].at(i));
            out[1].at(i) = static_cast<double>(place_in_window(c, i, index));
          });
          return out;
        },
        true));
  }
};

template <>
struct RowsOf<FusedMaxPool2dGrad> {
  static OpRows make() {
    OpRows rows = not_differentiable(RowsOf<MaxPool2dGrad>::make());
    const std::vector<PoolCase> cases = pool_cases();
    for (size_t i = 0; i < rows.size(); ++i) {
      rows[i].name = "fused_" + rows[i].name;
      rows[i].f = [c = cases[i]](const Tensors& in) {
        const FusedMaxPool2dGrad op{max_attributes(c), {c.x[2], c.x[3]}};
        const Tensor places = pooled_places(c, in[0].dtype()).to(beside(in[0]));
        return dispatch(Model(op), dense({in[0], places}));
      };
    }
    return rows;
  }

 private:
  /// Of the image whose indices the reference takes.
  static Tensor pooled_places(const PoolCase& c, DType dtype) {
    const InterpreterGuard eager(nullptr);  // a constant, also inside a trace
    const FusedMaxPool2d op{max_attributes(c)};
    return dispatch(Model(op), std::array{draw({c.x}, dtype, 7)})[1];
  }
};

}  // namespace reprise::op_rows
