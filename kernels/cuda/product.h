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

/// C = A[m, k] B[k, n] + bias[n], and 0 where that is negative, for each matrix of a batch. C is
/// dense. Of one matrix, the rows of A may be added up on the way; then there is no bias.
struct Product {
  DType dtype = float32;
  int64_t batch = 1, m = 0, n = 0, k = 0;
  Factor a, b;
  void* c = nullptr;
  const void* bias = nullptr;  ///< or null
  void* sums = nullptr;        ///< [m], only by cuBLASLt, or null
  bool relu = false;
  bool gelu = false;  ///< by its approximation after the bias, only by cuBLASLt
};

/// Bytes of scratch that cuBLASLt may use: sums of parts of a long k, for results up to a size at
/// which there is work enough without cutting k.
inline constexpr size_t kWorkspaceAlignment = 256;  // what it wants; the rest of us has less
inline size_t product_workspace(int64_t batch, int64_t m, int64_t n) {
  constexpr double kLeast = 256 << 10, kMost = 32 << 20;
  const double parts = 16.0 * sizeof(float) * static_cast<double>(batch) * static_cast<double>(m) *
                       static_cast<double>(n);
  return static_cast<size_t>(std::min(kLeast + parts, kMost)) + kWorkspaceAlignment;
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

/// What happens beside a product; a ReLU may come on top of the first two.
enum class BlasTail : uint8_t { none, bias, bias_gelu, sums };

/// C^T = B^T A^T in its terms: all that the choice of an algorithm depends on, but for the device.
struct BlasProduct {
  DType dtype = float32;
  int64_t batch = 1;
  BlasMatrix a, b, c;  ///< what is called B^T, A^T and C^T above
  BlasTail tail = BlasTail::none;
  bool tf32 = false;

  friend auto operator<=>(const BlasProduct&, const BlasProduct&) = default;
};

/// None when it cannot be said: neither rows nor columns are dense, they overlap, k is 0, or a size
/// does not fit 31 bits.
std::optional<BlasProduct> blas_product(const Product& p, bool tf32);

}  // namespace reprise::cuda
