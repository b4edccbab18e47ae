#pragma once
// The one inner loop behind matrix products and convolutions: a tile of C, MR rows by NV vectors,
// stays in registers while it gathers  acc[i][:] += A(i, k) * B(k, :)  over k. A is read by
// broadcasts, B by vectors. What differs is only where A(., k) and B(k, .) lie: at a constant step
// (packed panels, matrices) or at offsets from a table (the shifted pixels of a convolution).

#include "transpose.h"

namespace reprise::cpu::REPRISE_ISA {

/// Rows of the largest tile: with kTileVectors vectors they fill the registers, less what the loop
/// needs.
inline constexpr int kTileRows = kVectorBytes == 64 ? 14 : kVectorBytes == 32 ? 6 : 4;
inline constexpr int kTileVectors = 2;
template <class T>
inline constexpr int kTileColumns = kTileVectors* kWidth<T>;

/// How A(i, k) and B(k, j) are found from a and b.
enum class TileForm {
  packed,     // A: a[k * a_step + i]          B: b[k * b_step + j]
  strided,    // A: a[k * a_step + i * a_row]  B: b[k * b_step + j]
  shifted_a,  // A: a[offset[k] + i]           B: b[k * b_step + j]
  shifted_b,  // A: a[k * a_step + i]          B: b[offset[k] + j]
};

/// One tile: C(i, j) = sum over k < depth, plus C before if `accumulate`, plus the biases that are
/// set. b must be readable for whole vectors; of C only `columns` columns are touched.
template <class T>
struct Tile {
  int64_t depth;
  const T* a;
  int64_t a_row, a_step;
  const T* b;
  int64_t b_step;
  const int64_t* offset;
  T* c;
  int64_t c_row;
  int64_t columns;
  bool accumulate;
  const T* row_bias;     // one for each row, or null
  const T* column_bias;  // one for each column, or null
};

template <class T, int MR, int NV, TileForm Form>
REPRISE_INLINE void gather_tile(const Tile<T>& tile, Vec<T> (&acc)[MR][NV]) {
  const int64_t row = Form == TileForm::strided ? tile.a_row : 1;
  for (int64_t k = 0; k < tile.depth; ++k) {
    const T* a = tile.a + (Form == TileForm::shifted_a ? tile.offset[k] : k * tile.a_step);
    const T* b = tile.b + (Form == TileForm::shifted_b ? tile.offset[k] : k * tile.b_step);
    Vec<T> bv[NV];
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) bv[j] = load(b + j * kWidth<T>);
#pragma GCC unroll 16
    for (int i = 0; i < MR; ++i) {
      const Vec<T> av = broadcast(a[i * row]);
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j) acc[i][j] = fma(av, bv[j], acc[i][j]);
    }
  }
}

// The rare tile: cut at the right edge of C or with biases. It goes by way of memory to keep the
// code small.
template <class T, int NV>
void finish_slowly(const Tile<T>& tile, const Vec<T>* acc, int rows) {
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < NV; ++j) {
      T* c = tile.c + i * tile.c_row + j * kWidth<T>;
      const int64_t n = tile.columns - j * kWidth<T>;
      Vec<T> v = acc[i * NV + j];
      if (tile.accumulate) v = load_n(c, n) + v;
      if (tile.row_bias) v += broadcast(tile.row_bias[i]);
      if (tile.column_bias) v += load_n(tile.column_bias + j * kWidth<T>, n);
      store_n(c, v, n);
    }
  }
}

template <class T, int MR, int NV, TileForm Form>
void run_tile(const Tile<T>& tile) {
  if constexpr (Form == TileForm::packed) {  // C of a large product is far away: send for it now
    for (int i = 0; i < MR; ++i) {
      for (int j = 0; j < NV; ++j) __builtin_prefetch(tile.c + i * tile.c_row + j * kWidth<T>, 1);
    }
  }
  Vec<T> acc[MR][NV] = {};
  gather_tile<T, MR, NV, Form>(tile, acc);
  if (tile.columns < NV * kWidth<T> || tile.row_bias || tile.column_bias) {
    Vec<T> copy[MR * NV];  // lest `acc` itself gets an address, and with it a place in memory
#pragma GCC unroll 32
    for (int i = 0; i < MR * NV; ++i) copy[i] = acc[i / NV][i % NV];
    return finish_slowly<T, NV>(tile, copy, MR);
  }
  T* const c = tile.c;
  const int64_t c_row = tile.c_row;
  const bool accumulate = tile.accumulate;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      T* to = c + i * c_row + j * kWidth<T>;
      store(to, accumulate ? load(to) + acc[i][j] : acc[i][j]);
    }
  }
}

/// Tiles of 1 to kTileRows rows and 1 to kTileVectors vectors, by [rows - 1][vectors - 1].
template <class T>
using RunTile = void (*)(const Tile<T>&);
template <class T>
struct TileTable {
  RunTile<T> run[kTileRows][kTileVectors];
};
template <class T, TileForm Form, int... I>
constexpr TileTable<T> make_tiles(Ints<I...>) {
  return {{{run_tile<T, I + 1, 1, Form>, run_tile<T, I + 1, 2, Form>}...}};
}
template <class T, TileForm Form>
inline constexpr TileTable<T> kTiles = make_tiles<T, Form>(IntsBelow<kTileRows>{});

/// Runs the tile of `rows` rows that covers tile.columns <= kTileColumns columns.
template <class T, TileForm Form>
REPRISE_INLINE void run_tile(int64_t rows, const Tile<T>& tile) {
  kTiles<T, Form>.run[rows - 1][tile.columns > kWidth<T>](tile);
}

/// Cuts n rows into the fewest parts of at most kTileRows whose sizes differ by one at most.
struct RowParts {
  int64_t n, count;
  explicit RowParts(int64_t rows) : n(rows), count((rows + kTileRows - 1) / kTileRows) {}
  int64_t begin(int64_t part) const { return n * part / count; }
  int64_t size(int64_t part) const { return begin(part + 1) - begin(part); }
};

}  // namespace reprise::cpu::REPRISE_ISA
