#pragma once
// What `infer` asks of operands and attributes. The public functions pass sound ones, but graphs
// are also read from files: infer is the one place where all that a kernel relies on is checked.

#include <algorithm>

#include "../op.h"

namespace reprise {

inline void check_count(std::string_view op, std::span<const Meta> in, size_t least, size_t most) {
  check(in.size() >= least && in.size() <= most, ErrorKind::Value, op, ": expected ", least, " to ",
        most, " operands, got ", in.size());
}

inline void check_count(std::string_view op, std::span<const Meta> in, size_t count) {
  check(in.size() == count, ErrorKind::Value, op, ": expected ", count, " operands, got ",
        in.size());
}

inline void check_floating(std::string_view op, DType dtype) {
  check(is_floating_point(dtype), ErrorKind::DType, op, ": expected a floating-point dtype, got ",
        dtype);
}

/// All of one floating-point dtype.
inline void check_floating(std::string_view op, std::span<const Meta> in) {
  for (const Meta& m : in) {
    check(is_floating_point(m.dtype) && m.dtype == in[0].dtype, ErrorKind::DType, op,
          ": expected operands of one floating-point dtype, got ", in[0].dtype, " and ", m.dtype);
  }
}

/// For kernels that read memory in one order whatever the strides say: all in row-major order or,
/// when one is channels-last, all of 4 dimensions in that.
inline void check_dense(std::string_view op, std::span<const Meta> in) {
  const bool last = std::ranges::any_of(in, &Meta::is_channels_last);
  for (const Meta& m : in) {
    const bool dense = last && m.dim() == 4 ? m.is_contiguous(channels_last) : m.is_contiguous();
    check(dense, ErrorKind::Value, op, ": expected dense operands", last ? " of one format" : "",
          ", got strides ", m.strides, " for ", m.shape);
  }
}

/// A dimension as kernels want it: counted from the front.
inline void check_dim(std::string_view op, int64_t dim, int rank) {
  check(dim >= 0 && dim < rank, ErrorKind::Index, op, ": expected dim in [0, ", rank, "), got ",
        dim);
}

/// Sizes of at least 0 whose product, and the bytes of it, fit 63 bits.
inline Meta checked_meta(std::string_view op, const Shape& shape, DType dtype, Device device = {}) {
  check_sizes(op, shape);
  Meta meta(shape, dtype, device);
  (void)meta.nbytes();
  return meta;
}

/// Sum and product of sizes; Shape error when they do not fit 63 bits.
inline int64_t checked_add(std::string_view op, int64_t a, int64_t b) {
  check(!__builtin_add_overflow(a, b, &a), ErrorKind::Shape, op, ": a size does not fit 63 bits");
  return a;
}
inline int64_t checked_mul(std::string_view op, int64_t a, int64_t b) {
  check(!__builtin_mul_overflow(a, b, &a), ErrorKind::Shape, op, ": a size does not fit 63 bits");
  return a;
}

}  // namespace reprise
