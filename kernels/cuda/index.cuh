#pragma once
// What ops that read or write at indices share.

#include "index_check.cuh"
#include "launch.cuh"
#include "offsets.cuh"

namespace reprise::cuda {

/// The dimension that is indexed, of the tensor that is. No index is trusted: one out of range is
/// reported, reads 0 and writes nothing.
struct Line {
  int64_t size = 1, step = 0;
  int64_t wrap = 0;  // what is added to a negative index

  __device__ int64_t wrapped(int64_t at) const { return at < 0 ? at + wrap : at; }
  __device__ bool holds(int64_t at) const { return at >= 0 && at < size; }
};

inline Line line_of(const Shape& shape, const Strides& strides, int dim) {
  if (shape.empty()) return {};
  const auto d = static_cast<size_t>(dim);
  return {shape[d], strides[d]};
}

/// Strides of the lines along `dim`.
inline Strides without(Strides strides, int dim) {
  if (!strides.empty()) strides[static_cast<size_t>(dim)] = 0;
  return strides;
}
/// Strides of a list along `dim`, of a tensor of `dims` dimensions.
inline Strides only(int dims, int dim, int64_t step) {
  Strides strides = Shape::filled(dims, 0);
  strides[static_cast<size_t>(dim)] = step;
  return strides;
}

}  // namespace reprise::cuda
