#pragma once
// What the reductions compiled for each instruction set offer to the kernels in ../.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

/// Sums are kept in double for floats and in int64 for integers.
template <class T>
struct SumOf {
  using type = int64_t;
};
template <>
struct SumOf<float> {
  using type = double;
};
template <>
struct SumOf<double> {
  using type = double;
};
template <class T>
using SumType = typename SumOf<T>::type;

template <class T>
struct ReduceKernels {
  /// The sum of x[i * step], i < n. The order depends on n alone, not on the instruction set.
  SumType<T> (*sum)(const T* x, int64_t n, int64_t step);
  /// acc[j] += x[i * row + j] for rows in order, j < columns.
  void (*add_rows)(SumType<T>* acc, const T* x, int64_t rows, int64_t row, int64_t columns);
  /// The first index of the largest (smallest) of x[i * step], i < n, n > 0; NaN is larger
  /// (smaller).
  int64_t (*argmax)(const T* x, int64_t n, int64_t step);
  int64_t (*argmin)(const T* x, int64_t n, int64_t step);
  /// The same for each of `columns` columns of a matrix; null where T has no such kernel.
  void (*argmax_columns)(int64_t* index, const T* x, int64_t rows, int64_t row,
                         int64_t columns) = nullptr;
  void (*argmin_columns)(int64_t* index, const T* x, int64_t rows, int64_t row,
                         int64_t columns) = nullptr;
};

struct ReduceTable : ReduceKernels<float>,
                     ReduceKernels<double>,
                     ReduceKernels<int64_t>,
                     ReduceKernels<int32_t>,
                     ReduceKernels<uint8_t> {};

namespace sse2 {
extern const ReduceTable reduce_table;
}
namespace avx2 {
extern const ReduceTable reduce_table;
}
namespace avx512 {
extern const ReduceTable reduce_table;
}

}  // namespace reprise::cpu
