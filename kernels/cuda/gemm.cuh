#pragma once
// What our own kernels of matrix products share.

#include "gemm.h"
#include "launch.cuh"

namespace reprise::cuda {

/// One factor, as lines (rows of A, columns of B) along k.
template <class T>
struct Lines {
  const T* data;
  int64_t line, along, matrix;  // steps: to the next line, along it, to the next of the batch
};

template <class T>
Lines<T> rows_of(const Factor& f) {
  return {static_cast<const T*>(f.data), f.row, f.column, f.matrix};
}
template <class T>
Lines<T> columns_of(const Factor& f) {
  return rows_of<T>(f.transposed());
}

/// f.operator()<T>() for the types that products are made of.
template <class F>
void visit_factors(DType t, F&& f) {
  if (t == float16) return f.template operator()<Half>();
  if (t == bfloat16) return f.template operator()<BFloat16>();
  visit_floating("matmul", t, f);
}

/// Starts as many blocks as wanted: `kernel(problem, number of the grid's first block)`.
template <class P>
void launch_blocks(reprise::Stream stream, int64_t blocks, unsigned threads,
                   void (*kernel)(P, int64_t), const P& problem) {
  constexpr int64_t kMost = INT32_MAX;  // of one grid
  for (int64_t first = 0; first < blocks; first += kMost) {
    launch(stream, static_cast<unsigned>(std::min(blocks - first, kMost)), threads, kernel, problem,
           first);
  }
}

}  // namespace reprise::cuda
