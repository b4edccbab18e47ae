#pragma once
// Meta: all that is known of a tensor without its data.

#include <optional>

#include "device.h"
#include "dtype.h"
#include "memory_format.h"

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

  /// Dense in the order of `format`.
  bool is_contiguous(MemoryFormat format) const {
    return format == contiguous_format ? is_contiguous() : is_dense_channels_last();
  }
  /// Whether the strides are those of channels-last and of nothing else: where dimensions of size 1
  /// leave memory no choice, their strides tell which format is meant.
  bool is_channels_last() const {
    return dim() == 4 && strides[1] == 1 && has_channels_last_strides();
  }
  /// What results made of this tensor keep.
  MemoryFormat memory_format() const {
    return is_channels_last() ? channels_last : contiguous_format;
  }

  /// The same, dense in that format.
  Meta dense() const { return {shape, dense_strides(shape, memory_format()), dtype, device}; }

  friend bool operator==(const Meta&, const Meta&) = default;

 private:
  REPRISE_API bool is_dense_channels_last() const;
  REPRISE_API bool has_channels_last_strides() const;
};

/// Whether the elements of two tensors of one shape lie in the same places.
REPRISE_API bool same_layout(const Meta& a, const Meta& b);

/// Strides under which `meta` reads as `shape`, of as many elements, without a copy; none when
/// there are none.
std::optional<Strides> view_strides(const Meta& meta, const Shape& shape);

}  // namespace reprise
