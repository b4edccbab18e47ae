#pragma once
// Meta: all that is known of a tensor without its data.

#include <optional>

#include "device.h"
#include "dtype.h"
#include "shape.h"

namespace reprise {

struct Meta {
  Shape shape;
  Strides strides;  ///< in elements; 0 where a dimension is expanded
  DType dtype = float32;
  Device device;

  Meta() = default;
  /// A dense row-major tensor.
  Meta(const Shape& sizes, DType type, Device where = {})
      : shape(sizes), strides(contiguous_strides(sizes)), dtype(type), device(where) {}
  Meta(const Shape& sizes, const Strides& steps, DType type, Device where = {})
      : shape(sizes), strides(steps), dtype(type), device(where) {}

  int dim() const { return shape.dim(); }
  int64_t numel() const { return shape.numel(); }
  /// Dense in row-major order; strides of dimensions of size 1 do not matter.
  bool is_contiguous() const {
    int64_t step = 1;
    for (size_t i = shape.size(); i-- > 0;) {
      if (shape[i] == 1) continue;
      if (strides[i] != step && shape[i] != 0) return numel() == 0;
      step *= shape[i];
    }
    return true;
  }
  /// Bytes of the elements; Shape error when they do not fit 63 bits.
  size_t nbytes() const {
    int64_t bytes = 0;
    check(!__builtin_mul_overflow(numel(), static_cast<int64_t>(size_of(dtype)), &bytes),
          ErrorKind::Shape, "tensor: the bytes of ", shape, " do not fit 63 bits");
    return static_cast<size_t>(bytes);
  }

  friend bool operator==(const Meta&, const Meta&) = default;
};

/// Strides under which `meta` reads as `shape`, of as many elements, without a copy; none when
/// there are none.
std::optional<Strides> view_strides(const Meta& meta, const Shape& shape);

}  // namespace reprise
