#pragma once
// What references compute on: values in double, in row-major order, and nothing clever.

#include <functional>
#include <vector>

#include "../../core/shape.h"

namespace reprise::op_rows {

struct Array {
  Shape shape;
  std::vector<double> values;

  Array() = default;
  explicit Array(const Shape& s, double fill = 0)
      : shape(s), values(static_cast<size_t>(s.numel()), fill) {}

  size_t offset(const Shape& index) const {
    size_t at = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
      at = at * static_cast<size_t>(shape[d]) + static_cast<size_t>(index[d]);
    }
    return at;
  }
  double& at(const Shape& index) { return values[offset(index)]; }
  double at(const Shape& index) const { return values[offset(index)]; }
};

using Arrays = std::vector<Array>;

/// Calls f with every index of `shape`, last dimension fastest.
inline void for_each_index(const Shape& shape, const std::function<void(const Shape&)>& f) {
  if (shape.numel() == 0) return;
  Shape index = Shape::filled(shape.dim(), 0);
  while (true) {
    f(index);
    size_t d = shape.size();
    while (d > 0 && ++index[d - 1] == shape[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace reprise::op_rows
