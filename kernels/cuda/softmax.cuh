#pragma once
// What the kernels of Softmax and LogSoftmax share.

#include <cmath>
#include <limits>

#include "../../core/half.h"
#include "../../core/shape.h"
#include "acc.cuh"
#include "offsets.cuh"
#include "pack.cuh"
#include "warp.cuh"

namespace reprise::cuda {

/// x seen along a dimension.
struct Extents {
  int64_t outer = 1, n = 1, inner = 1;

  Extents(const Shape& shape, int dim) {
    for (int d = 0; d < shape.dim(); ++d) {
      (d < dim ? outer : d == dim ? n : inner) *= shape[static_cast<size_t>(d)];
    }
  }
  int64_t lines() const { return outer * inner; }
};

/// The line of each element.
inline Offsets<1> lines_of(const Extents& e) {
  Offsets<1> line_of;
  line_of.push(e.inner, {1});
  line_of.push(e.n, {0});
  line_of.push(e.outer, {e.inner});
  return line_of;
}

template <class A>
constexpr A lowest() {
  return -std::numeric_limits<A>::infinity();
}

struct Larger {  // b where either is NaN
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a > b ? a : b;
  }
};
struct Added {
  template <class A>
  __device__ A operator()(A a, A b) const {
    return a + b;
  }
};

/// What the last step does to x - largest, or to its exponential.
template <class A>
struct Scale {
  A last;
  bool log;

  __device__ Scale(A sum, bool logarithm)
      : last(logarithm ? std::log(sum) : 1 / sum), log(logarithm) {}
  __device__ A operator()(A v) const { return log ? v - last : v * last; }
};

/// Leaves v - most in v, or its exponential, which is returned.
template <class A>
__device__ A take_below(A& v, A most, bool log) {
  const A below = v - most, power = std::exp(below);
  v = log ? below : power;
  return power;
}

inline unsigned blocks(int64_t n, int64_t in_block) {
  return static_cast<unsigned>((n + in_block - 1) / in_block);
}

/// Bytes of shared memory that a block of the current device can have.
int64_t most_shared_bytes();

/// Rows (inner = 1) that a group of threads keeps whole; false where they are too long for it.
template <class T>
bool try_softmax_rows(Stream stream, const Extents& e, T* y, const T* x, bool log);
/// Whether they need no shared memory, of which devices have different amounts.
template <class T>
bool row_fits_registers(int64_t n);

/// Columns (inner > 1) that the threads of a block keep whole; false where they are too long for
/// it.
template <class T>
bool try_softmax_columns(Stream stream, const Extents& e, T* y, const T* x, bool log);
/// Whether they need no shared memory.
template <class T>
bool columns_fit_registers(const Extents& e);

}  // namespace reprise::cuda
