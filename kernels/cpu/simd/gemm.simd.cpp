// Blocks of matrix products, see gemm.h. The B panel of the outer loop stays in the L1 cache while
// the A panels of the block stream past it from L2.

#include "gemm.h"

#include "tile.h"
#include "tiny_product.h"

namespace reprise::cpu::REPRISE_ISA {

template <class T>
void pack_a(T* to, const T* a, int64_t a_row, int64_t a_step, int64_t rows, int64_t depth) {
  const RowParts parts(rows);
  for (int64_t p = 0; p < parts.count; ++p) {
    const int64_t begin = parts.begin(p), height = parts.size(p);
    pack<T>(to + begin * depth, height, {a + begin * a_row, a_row, a_step, height, depth});
  }
}

template <class T>
void pack_b(T* to, const T* b, int64_t b_step, int64_t b_column, int64_t columns, int64_t depth) {
  pack<T>(to, kTileColumns<T>, {b, b_column, b_step, columns, depth});
}

// One panel of B against all panels of A.
template <class T, TileForm Form>
void column_of_tiles(const GemmBlock<T>& g, Tile<T> tile) {
  const RowParts parts(g.rows);
  const int64_t a_begin = Form == TileForm::packed ? g.depth : g.a_row;
  for (int64_t p = 0; p < parts.count; ++p) {
    const int64_t begin = parts.begin(p), height = parts.size(p);
    Tile<T> t = tile;
    t.a = g.a + begin * a_begin;
    t.a_step = Form == TileForm::packed ? height : g.a_step;
    t.c = tile.c + begin * g.c_row;
    t.row_bias = g.row_bias ? g.row_bias + begin : nullptr;
    run_tile<T, Form>(height, t);
  }
}

// With few rows a tile must be wider, or it waits for its own sums; and it takes a few rows of B at
// a time, which then stream through the caches. Returns the columns that are done.
template <class T, int MR, int NV>
int64_t wide_tiles(const GemmBlock<T>& g, Tile<T> tile) {
  constexpr int64_t kStreams = 16;
  tile.a_step = g.a_step;
  tile.b_step = g.b_step;
  tile.columns = NV * kWidth<T>;
  const int64_t done = g.columns / tile.columns * tile.columns;
  for (int64_t k = 0; k == 0 || k < g.depth; k += kStreams) {
    tile.a = g.a + k * g.a_step;
    tile.depth = g.depth - k < kStreams ? g.depth - k : kStreams;
    tile.accumulate = g.accumulate || k > 0;
    tile.row_bias = k == 0 ? g.row_bias : nullptr;
    for (int64_t j = 0; j < done; j += tile.columns) {
      tile.b = g.b + k * g.b_step + j;
      tile.c = g.c + j;
      tile.column_bias = k == 0 && g.column_bias ? g.column_bias + j : nullptr;
      run_tile<T, MR, NV, TileForm::strided>(tile);
    }
  }
  return done;
}

template <class T>
int64_t wide_tiles(const GemmBlock<T>& g, const Tile<T>& tile) {
  if (g.a_packed || g.b_panel != kTileColumns<T>) return 0;
  if (g.rows == 1) return wide_tiles<T, 1, 8>(g, tile);
  if (g.rows == 2) return wide_tiles<T, 2, 4>(g, tile);
  return 0;
}

template <class T>
void block(const GemmBlock<T>& g) {
  Tile<T> tile{};
  tile.depth = g.depth;
  tile.a_row = g.a_row;
  tile.c_row = g.c_row;
  tile.accumulate = g.accumulate;
  for (int64_t j = wide_tiles(g, tile); j < g.columns; j += kTileColumns<T>) {
    const int64_t rest = g.columns - j;
    const bool tail = g.b_tail && rest < kTileColumns<T>;
    tile.b = tail ? g.b_tail : g.b + j / kTileColumns<T> * g.b_panel;
    tile.b_step = tail ? kTileColumns<T> : g.b_step;
    tile.c = g.c + j;
    tile.columns = rest < kTileColumns<T> ? rest : kTileColumns<T>;
    tile.column_bias = g.column_bias ? g.column_bias + j : nullptr;
    if (g.a_packed) {
      column_of_tiles<T, TileForm::packed>(g, tile);
    } else {
      column_of_tiles<T, TileForm::strided>(g, tile);
    }
  }
}

// MI x NJ dot products at once; the partial sums of each stay in the lanes of one vector.
template <class T, int MI, int NJ>
void dot_tile(const DotBlock<T>& d, int64_t j0) {
  constexpr int64_t W = kWidth<T>;
  Vec<T> acc[MI][NJ] = {};
  const T* b = d.b + j0 * d.b_column;
  for (int64_t k = 0; k < d.depth; k += W) {
    Vec<T> av[MI];
#pragma GCC unroll 8
    for (int i = 0; i < MI; ++i) av[i] = load_n(d.a + i * d.a_row + k, d.depth - k);
#pragma GCC unroll 8
    for (int j = 0; j < NJ; ++j) {
      const Vec<T> bv = load_n(b + j * d.b_column + k, d.depth - k);
#pragma GCC unroll 8
      for (int i = 0; i < MI; ++i) acc[i][j] = fma(av[i], bv, acc[i][j]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < MI; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < NJ; ++j) {
      T* c = d.c + i * d.c_row + (j0 + j) * d.c_column;
      T v = sum(acc[i][j]);
      if (d.accumulate) v = *c + v;
      if (d.row_bias) v += d.row_bias[i];
      if (d.column_bias) v += d.column_bias[j0 + j];
      *c = v;
    }
  }
}

template <class T, int MI>
void dot_rows(const DotBlock<T>& d) {
  constexpr int NJ = kVectorBytes == 64 ? 8 : 4;
  int64_t j = 0;
  for (; j + NJ <= d.columns; j += NJ) dot_tile<T, MI, NJ>(d, j);
  for (; j < d.columns; ++j) dot_tile<T, MI, 1>(d, j);
}

template <class T>
void dots(const DotBlock<T>& d) {
  if (d.rows == 1) return dot_rows<T, 1>(d);
  if (d.rows == 2) return dot_rows<T, 2>(d);
  dot_rows<T, 3>(d);
}

template <class T>
constexpr GemmKernels<T> kernels() {
  return {kTileRows, kTileColumns<T>, kWidth<T>, pack_a<T>, pack_b<T>, block<T>, dots<T>, tiny<T>};
}

extern const GemmTable gemm_table;
const GemmTable gemm_table{kernels<float>(), kernels<double>()};

}  // namespace reprise::cpu::REPRISE_ISA
