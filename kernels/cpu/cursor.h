#pragma once
// A walk over the elements of up to eight dimensions in row-major order that keeps the offset of
// each element in several operands, so that kernels take any strides without index calculations.

#include <array>

#include "../../core/shape.h"

namespace reprise::cpu {

/// Sizes and, for each operand, strides of the walk, outermost first.
template <size_t Operands>
struct Walk {
  Shape sizes;
  std::array<Strides, Operands> strides;
};

/// One place in a walk, which must outlive it.
template <size_t Operands>
class Cursor {
 public:
  /// At element `start`, counted in row-major order; no size may be 0.
  explicit Cursor(const Walk<Operands>& walk, int64_t start = 0) : walk_(walk), index_(walk.sizes) {
    for (size_t d = walk.sizes.size(); d-- > 0;) {
      index_[d] = start % walk.sizes[d];
      start /= walk.sizes[d];
      move(d, index_[d]);
    }
  }

  /// Offset of the element in operand k, in elements.
  int64_t operator[](size_t k) const { return offset_[k]; }
  const Shape& index() const { return index_; }

  void next() {
    for (size_t d = walk_.sizes.size(); d-- > 0;) {
      if (++index_[d] < walk_.sizes[d]) return move(d, 1);
      move(d, 1 - index_[d]);
      index_[d] = 0;
    }
  }

 private:
  void move(size_t d, int64_t steps) {
    for (size_t k = 0; k < Operands; ++k) offset_[k] += steps * walk_.strides[k][d];
  }

  const Walk<Operands>& walk_;
  Shape index_;
  std::array<int64_t, Operands> offset_{};
};

}  // namespace reprise::cpu
