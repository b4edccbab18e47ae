#pragma once
// A matrix product as MatMul and Linear ask for it, and how cuBLASLt is told of it. Nothing here
// calls CUDA.

#include <algorithm>
#include <compare>
#include <optional>

#include "../../core/op.h"

namespace reprise::cuda {

/// The matrices of a batch: the first element, and how many elements it is from there to the next
/// row, column and matrix.
struct Factor {
  const void* data = nullptr;
  int64_t row = 0, column = 0, matrix = 0;

  Factor transposed() const { return {data, column, row, matrix}; }
};

/// C = A[m, k] B[k, n] + bias[n], and then, by our own kernels alone, 0 where that is negative or
/// `gate` is not positive, for each matrix of a batch. C is dense.
struct Product {
  DType dtype = float32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  Factor a, b;
  void* c = nullptr;
  const void* bias = nullptr;  ///< or null
  bool relu = false;
  const void* gate = nullptr;  ///< [m, n], dense, of a single matrix; or null
};

/// What cuBLASLt does beside a product of two matrices: adds a bias; then a ReLU, in which NaN is
/// lost, or GELU by its approximation; multiplies with the slope of either; adds up the rows of A.
enum class BlasTail : uint8_t {
  none,
  bias,
  bias_relu,
  bias_gelu,
  bias_gelu_aux,
  relu_grad,
  gelu_grad,
  sums
};

/// A tail and what else it reads or writes.
struct BlasEpilogue {
  BlasTail tail = BlasTail::none;
  void* vector = nullptr;  ///< the bias [n], or the sums [m]
  void* aux = nullptr;     ///< [m, n]: what GELU is applied to, or a mask as keep_mask makes it
};
inline BlasEpilogue bias_of(const Product& p, BlasTail tail = BlasTail::bias, void* aux = nullptr) {
  return {p.bias == nullptr ? BlasTail::none : tail, const_cast<void*>(p.bias), aux};
}

/// Bytes of scratch that cuBLASLt may use: sums of parts of a long k, for results up to a size at
/// which there is work enough without cutting k.
inline constexpr size_t kWorkspaceAlignment = 256;  // what it wants; the rest of us has less
inline size_t product_workspace(int64_t batch, int64_t m, int64_t n) {
  constexpr double kLeast = 256 << 10, kMost = 32 << 20;
  const double parts = 16.0 * sizeof(float) * static_cast<double>(batch) * static_cast<double>(m) *
                       static_cast<double>(n);
  return static_cast<size_t>(std::min(kLeast + parts, kMost)) + kWorkspaceAlignment;
}

/// A row of cuBLASLt's mask of a ReLU, in bits, and bytes of scratch for such rows.
constexpr int64_t relu_mask_leading(int64_t columns) { return (columns + 127) / 128 * 128; }
constexpr size_t relu_mask_bytes(int64_t rows, int64_t columns) {
  const auto bytes = static_cast<size_t>(rows * (relu_mask_leading(columns) / 8));
  return (bytes + kWorkspaceAlignment - 1) / kWorkspaceAlignment * kWorkspaceAlignment;
}

/// Of two matrices, or of two batches of them.
Product product_of(const View& a, const View& b, const View& c);
/// The same as one matrix of more rows, where all of the batch are multiplied by one B and follow
/// each other like rows.
Product folded(const Product& p);

/// A matrix as cuBLASLt knows it: dense columns of `rows` elements, `leading` elements apart.
struct BlasMatrix {
  int64_t rows = 0, columns = 0, leading = 0;
  int64_t step = 0;         ///< elements to the next matrix of the batch; 0: one for all
  bool transposed = false;  ///< before it is multiplied
  uint32_t alignment = 0;   ///< of the first element, in bytes: a power of 2, at most 64

  friend auto operator<=>(const BlasMatrix&, const BlasMatrix&) = default;
};

/// C^T = B^T A^T in its terms: all that the choice of an algorithm depends on, but for the device.
struct BlasProduct {
  DType dtype = float32;
  int64_t batch = 1;
  BlasMatrix a, b, c;  ///< what is called B^T, A^T and C^T above
  BlasTail tail = BlasTail::none;
  int64_t aux_leading = 0;
  bool tf32 = false;

  friend auto operator<=>(const BlasProduct&, const BlasProduct&) = default;
};

/// None when it cannot be said: neither rows nor columns are dense, they overlap, k is 0, a size
/// does not fit 31 bits, or an aux or a vector does not lie as it must.
std::optional<BlasProduct> blas_product(const Product& p, const BlasEpilogue& epilogue, bool tf32);

}  // namespace reprise::cuda
