#pragma once
// What softmax compiled for each instruction set offers to ../softmax.cpp. y may be x.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

/// Columns of one call, at most.
inline constexpr int64_t kSoftmaxColumns = 1024;

template <class T>
struct SoftmaxKernels {
  /// Softmax of each of `rows` contiguous rows of n elements.
  using Rows = void (*)(T* y, const T* x, int64_t rows, int64_t n);
  /// Softmax of each of at most kSoftmaxColumns columns of n elements that lie `row` apart.
  using Columns = void (*)(T* y, const T* x, int64_t n, int64_t row, int64_t columns);

  /// The gradients of both, from y and that of y.
  using GradRows = void (*)(T* gx, const T* y, const T* gy, int64_t rows, int64_t n);
  using GradColumns = void (*)(T* gx, const T* y, const T* gy, int64_t n, int64_t row,
                               int64_t columns);

  Rows softmax_rows, log_softmax_rows;
  Columns softmax_columns, log_softmax_columns;
  GradRows softmax_grad_rows, log_softmax_grad_rows;
  GradColumns softmax_grad_columns, log_softmax_grad_columns;
};

struct SoftmaxTable : SoftmaxKernels<float>, SoftmaxKernels<double> {};

namespace sse2 {
extern const SoftmaxTable softmax_table;
}
namespace avx2 {
extern const SoftmaxTable softmax_table;
}
namespace avx512 {
extern const SoftmaxTable softmax_table;
}

}  // namespace reprise::cpu
