#include "product.h"

#include <algorithm>
#include <bit>

namespace reprise::cuda {
namespace {

Factor factor_of(const View& view) {
  const Strides& strides = view.meta->strides;
  const size_t rank = strides.size();
  return {view.data, strides[rank - 2], strides[rank - 1], rank == 3 ? strides[0] : 0};
}

/// Of all pointers. Counted up to that of all memory of ours, so that an algorithm, and with it
/// the bits, does not depend on where a tensor happens to lie.
template <class... P>
uint32_t alignment_of(P... data) {
  const uintptr_t places = (reinterpret_cast<uintptr_t>(data) | ...);
  constexpr int kMost = 6;
  return 1U << std::min(std::countr_zero(places), kMost);
}

/// Steps of dimensions of size 1 do not matter.
bool has_dense_columns(int64_t rows, int64_t columns, const Factor& f) {
  return (rows == 1 || f.row == 1) && (columns == 1 || f.column >= rows);
}

std::optional<BlasMatrix> blas_matrix(int64_t rows, int64_t columns, const Factor& f,
                                      int64_t batch) {
  const bool plain = has_dense_columns(rows, columns, f);
  const bool other = has_dense_columns(columns, rows, f.transposed());
  if (!plain && !other) return std::nullopt;
  // A vector is both: as one long column its elements are neighbours.
  const bool transposed = other && (!plain || columns > rows);
  if (transposed) std::swap(rows, columns);
  const int64_t leading = columns == 1 ? rows : transposed ? f.row : f.column;
  return BlasMatrix{
      rows, columns, leading, batch == 1 ? 0 : f.matrix, transposed, alignment_of(f.data)};
}

constexpr uint32_t kBytes = 16;  // that cuBLASLt may access at once, whatever it is told of C

/// Elements, or bits, to the next row of the aux; none where it lies otherwise than it must.
std::optional<int64_t> aux_leading(const Product& p, const BlasEpilogue& epilogue) {
  constexpr int64_t kElements = 8;
  if (epilogue.aux == nullptr) return 0;
  if (epilogue.tail == BlasTail::relu_grad) return relu_mask_leading(p.n);
  if (p.n % kElements != 0 || alignment_of(epilogue.aux) < kBytes) return std::nullopt;
  return p.n;
}

}  // namespace

Product product_of(const View& a, const View& b, const View& c) {
  const Shape &x = a.meta->shape, &y = c.meta->shape;
  const size_t rank = x.size();
  return {.dtype = c.meta->dtype,
          .batch = rank == 3 ? x[0] : 1,
          .m = y[rank - 2],
          .n = y[rank - 1],
          .k = x[rank - 1],
          .a = factor_of(a),
          .b = factor_of(b),
          .c = c.data};
}

Product folded(const Product& p) {
  Product one = p;
  const int64_t next = p.m == 1 ? p.a.matrix : p.a.row;
  if (p.batch == 1 || p.b.matrix != 0 || p.a.matrix != p.m * next) return one;
  one.m *= p.batch;
  one.batch = 1;
  one.a.row = next;
  return one;
}

std::optional<BlasProduct> blas_product(const Product& p, const BlasEpilogue& epilogue, bool tf32) {
  if (p.k == 0 || std::max({p.batch, p.m, p.n, p.k}) > INT32_MAX) return std::nullopt;
  const std::optional<BlasMatrix> a = blas_matrix(p.n, p.k, p.b.transposed(), p.batch);
  const std::optional<BlasMatrix> b = blas_matrix(p.k, p.m, p.a.transposed(), p.batch);
  const std::optional<int64_t> leading = aux_leading(p, epilogue);
  if (!a || !b || !leading || alignment_of(epilogue.vector) < kBytes) return std::nullopt;
  const int64_t step = p.batch == 1 ? 0 : p.m * p.n;
  const BlasMatrix c{p.n, p.m, p.n, step, false, alignment_of(p.c, epilogue.aux)};
  return BlasProduct{p.dtype, p.batch,       *a,       *b,
                     c,       epilogue.tail, *leading, tf32 && p.dtype == float32};
}

}  // namespace reprise::cuda
