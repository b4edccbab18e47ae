// How cuBLASLt is told of products: none of it needs a device.

#include "../../../kernels/cuda/product.h"

#include <gtest/gtest.h>

#include <array>

namespace reprise::cuda {
namespace {

void* at(uintptr_t address) { return reinterpret_cast<void*>(address); }

/// [2, 3] by [3, 4], all dense and 64-byte aligned, with changes.
Product product() {
  return {.m = 2, .n = 4, .k = 3, .a = {at(64), 3, 1}, .b = {at(128), 4, 1}, .c = at(192)};
}

/// `factor` as A of a product that is [m, k] by [k, n].
std::optional<BlasMatrix> as_a(int64_t m, int64_t k, const Factor& factor, int64_t batch = 1) {
  Product p = product();
  p.batch = batch;
  p.m = m;
  p.k = k;
  p.a = factor;
  const std::optional<BlasProduct> blas = blas_product(p, {}, false);
  return blas ? std::optional(blas->b) : std::nullopt;  // C^T = B^T A^T
}

TEST(CudaProduct, IsToldTransposed) {
  const std::optional<BlasProduct> p = blas_product(product(), {}, false);
  ASSERT_TRUE(p);
  EXPECT_EQ(p->a, (BlasMatrix{4, 3, 4, 0, false, 64}));
  EXPECT_EQ(p->b, (BlasMatrix{3, 2, 3, 0, false, 64}));
  EXPECT_EQ(p->c, (BlasMatrix{4, 2, 4, 0, false, 64}));
}

TEST(CudaProduct, TellsOfAnyMatrixWithDenseRowsOrColumns) {
  struct Case {
    int64_t m, k, row, column;
    std::optional<BlasMatrix> expected;
  };
  const auto matrix = [](int64_t rows, int64_t columns, int64_t leading, bool transposed) {
    return BlasMatrix{rows, columns, leading, 0, transposed, 64};
  };
  const Case cases[] = {
      {2, 3, 3, 1, matrix(3, 2, 3, false)},   // dense
      {2, 3, 7, 1, matrix(3, 2, 7, false)},   // of a wider one
      {2, 3, 1, 2, matrix(2, 3, 2, true)},    // transposed
      {2, 3, 1, 9, matrix(2, 3, 9, true)},    // .. of a wider one
      {2, 3, 6, 2, {}},                       // every second column
      {2, 3, 0, 1, {}},                       // one row for all
      {2, 3, 1, 0, {}},                       // one column for all
      {2, 3, 2, 1, {}},                       // rows that overlap
      {1, 3, 99, 1, matrix(3, 1, 3, false)},  // a row; steps of a single one do not matter
      {1, 3, 0, 1, matrix(3, 1, 3, false)},
      {1, 3, 1, 5, matrix(1, 3, 5, true)},   // a row of every fifth element
      {1, 3, 1, 0, {}},                      // the same element all along
      {5, 1, 1, 1, matrix(5, 1, 5, true)},   // a column
      {5, 1, 8, 1, matrix(1, 5, 8, false)},  // a column of every eighth element
      {5, 1, 0, 1, {}},
      {1, 1, 0, 0, matrix(1, 1, 1, false)},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(as_a(c.m, c.k, {at(64), c.row, c.column}), c.expected)
        << c.m << "x" << c.k << " by " << c.row << ", " << c.column;
  }
}

TEST(CudaProduct, TellsOfBatches) {
  EXPECT_EQ(as_a(2, 3, {at(64), 3, 1, 6}, 5)->step, 6);
  EXPECT_EQ(as_a(2, 3, {at(64), 3, 1, 0}, 5)->step, 0);
  EXPECT_EQ(as_a(2, 3, {at(64), 3, 1, 6}, 1)->step, 0) << "that of a single one does not matter";
  Product p = product();
  p.batch = 5;
  EXPECT_EQ(blas_product(p, {}, false)->c.step, 8);
  p.batch = int64_t{1} << 31;
  EXPECT_FALSE(blas_product(p, {}, false));
  p.batch = 1;
  p.k = 0;
  EXPECT_FALSE(blas_product(p, {}, false));
}

/// Where cuBLASLt finds an element of a factor of what it multiplies.
int64_t place(const BlasMatrix& m, int64_t row, int64_t column, int64_t matrix) {
  if (m.transposed) std::swap(row, column);
  return matrix * m.step + row + column * m.leading;
}
int64_t place(const Factor& f, int64_t row, int64_t column, int64_t matrix) {
  return matrix * f.matrix + row * f.row + column * f.column;
}

TEST(CudaProduct, MeansTheSameToBlas) {
  const auto factors = [](int64_t rows, int64_t columns) {
    return std::array{Factor{at(64), columns, 1, rows * columns}, Factor{at(64), 1, rows, 0},
                      Factor{at(64), columns + 3, 1, 500}, Factor{at(64), 1, rows + 2, 600}};
  };
  for (const auto& [batch, m, n, k] : {std::array<int64_t, 4>{1, 2, 3, 4},
                                       {3, 4, 3, 2},
                                       {1, 1, 5, 3},
                                       {2, 5, 1, 3},
                                       {3, 1, 1, 6},
                                       {2, 3, 4, 1}}) {
    for (const Factor& a : factors(m, k)) {
      for (const Factor& b : factors(k, n)) {
        const Product p{.batch = batch, .m = m, .n = n, .k = k, .a = a, .b = b, .c = at(64)};
        const std::optional<BlasProduct> blas = blas_product(p, {}, false);
        ASSERT_TRUE(blas);
        const int64_t last = batch - 1;
        for (int64_t i = 0; i < k; ++i) {
          EXPECT_EQ(place(blas->b, i, m - 1, last), place(a, m - 1, i, last));
          EXPECT_EQ(place(blas->a, n - 1, i, last), place(b, i, n - 1, last));
        }
        EXPECT_EQ(place(blas->c, n - 1, m - 1, last), batch * m * n - 1);
      }
    }
  }
}

TEST(CudaProduct, ChoosesByAllThatMatters) {
  const auto told = [](const Product& p, bool tf32 = false, const BlasEpilogue& epilogue = {}) {
    return *blas_product(p, epilogue, tf32);
  };
  const BlasProduct plain = told(product());
  Product p = product();
  EXPECT_NE(told(p, true), plain);
  EXPECT_NE(told(p, false, {BlasTail::bias, at(256)}), plain);
  p.dtype = float64;
  EXPECT_NE(told(p), plain);
  EXPECT_EQ(told(p, true), told(p));
  p = product();
  p.a.data = at(68);
  EXPECT_EQ(told(p).b.alignment, 4U);
  p.c = at(1024);
  EXPECT_EQ(told(p).c.alignment, 64U);
  EXPECT_EQ(told(p, false, {BlasTail::bias, at(1024 + 16)}).c.alignment, 64U);
  EXPECT_EQ(told(p, false, {BlasTail::relu_grad, nullptr, at(1024 + 16)}).c.alignment, 16U);
}

TEST(CudaProduct, TellsOfAnAuxWhereItLiesAsItMust) {
  const auto leading = [](int64_t n, BlasTail tail, uintptr_t aux) -> std::optional<int64_t> {
    const Product p{.m = 2, .n = n, .k = 3, .a = {at(64), 3, 1}, .b = {at(64), n, 1}, .c = at(64)};
    const auto told = blas_product(p, {tail, nullptr, at(aux)}, false);
    return told ? std::optional(told->aux_leading) : std::nullopt;
  };
  for (const BlasTail tail : {BlasTail::gelu_grad, BlasTail::bias_gelu_aux}) {
    EXPECT_EQ(leading(24, tail, 64), 24);
    EXPECT_EQ(leading(24, tail, 80), 24);
    EXPECT_EQ(leading(24, tail, 72), std::nullopt) << "not at 16 bytes";
    EXPECT_EQ(leading(20, tail, 64), std::nullopt) << "rows of no multiple of 8 elements";
  }
  for (const auto& [n, bits] : {std::pair{1, 128}, {127, 128}, {128, 128}, {129, 256}, {300, 384}})
    EXPECT_EQ(leading(n, BlasTail::relu_grad, 256), bits) << n;
  EXPECT_EQ(relu_mask_bytes(1, 1), 256U);
  EXPECT_EQ(relu_mask_bytes(17, 129), 768U);
}

TEST(CudaProduct, HasVectorsAtMultiplesOf16Bytes) {
  for (const BlasTail tail : {BlasTail::bias, BlasTail::bias_gelu, BlasTail::sums}) {
    EXPECT_TRUE(blas_product(product(), {tail, at(1024 + 16)}, false));
    for (const uintptr_t off : {2, 4, 8}) {
      EXPECT_FALSE(blas_product(product(), {tail, at(1024 + off)}, false)) << off;
    }
  }
}

TEST(CudaProduct, FoldsABatchIntoRows) {
  const auto fold = [](int64_t m, const Factor& a, int64_t b_matrix) {
    Product p = product();
    p.batch = 5;
    p.m = m;
    p.a = a;
    p.b.matrix = b_matrix;
    return folded(p);
  };
  const Product one = fold(2, {at(64), 3, 1, 6}, 0);
  EXPECT_EQ(one.batch, 1);
  EXPECT_EQ(one.m, 10);
  EXPECT_EQ(one.a.row, 3);
  const Product rows = fold(1, {at(64), 9, 1, 7}, 0);
  EXPECT_EQ(rows.m, 5);
  EXPECT_EQ(rows.a.row, 7);
  EXPECT_EQ(fold(2, {at(64), 3, 1, 6}, 12).batch, 5) << "another B for each";
  EXPECT_EQ(fold(2, {at(64), 3, 1, 7}, 0).batch, 5) << "rows with gaps";
  EXPECT_EQ(fold(2, {at(64), 1, 5, 2}, 0).batch, 1);
}

TEST(CudaProduct, AsksForScratchBySize) {
  EXPECT_LE(product_workspace(1, 10, 10), size_t{300 << 10});
  EXPECT_GE(product_workspace(1, 64, 1000), size_t{16 * 4 * 64 * 1000});
  EXPECT_EQ(product_workspace(1, 1 << 30, 1 << 30), size_t{32 << 20} + kWorkspaceAlignment);
}

}  // namespace
}  // namespace reprise::cuda
