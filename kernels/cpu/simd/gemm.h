#pragma once
// What the matrix products compiled for each instruction set offer to ../gemm.cpp. A block of C is
// made from panels: strips of A as high as a tile and of B as wide as one, each contiguous in the
// order of use.

#include <cstdint>

namespace reprise::cpu {

/// rows x columns of C from `depth` terms. B lies in panels of `columns` each, `b_panel` elements
/// apart; a last, narrower panel may lie elsewhere, packed, since tiles load whole vectors.
template <class T>
struct GemmBlock {
  int64_t rows, columns, depth;
  const T* a;  // packed panels when a_packed, else element (i, k) at a[i * a_row + k * a_step]
  bool a_packed;
  int64_t a_row, a_step;
  const T* b;
  int64_t b_panel, b_step;
  const T* b_tail;  // packed last panel, or null when `b` holds it like the others
  T* c;
  int64_t c_row;
  bool accumulate;
  const T* row_bias;     // or null
  const T* column_bias;  // or null
};

/// C(i, j) for few rows: dot products of rows[i] and columns[j], contiguous in k both.
template <class T>
struct DotBlock {
  int64_t rows, columns, depth;  // rows <= 3
  const T *a, *b;
  int64_t a_row, b_column;
  T* c;
  int64_t c_row, c_column;
  bool accumulate;
  const T *row_bias, *column_bias;
};

inline constexpr int64_t kTinyRows = 32, kTinyColumns = 16, kTinyDepth = 16;

template <class T>
struct GemmKernels {
  int64_t tile_rows, tile_columns, width;
  /// Packs an A block in panels of at most tile_rows rows, balanced: rows * depth elements.
  void (*pack_a)(T* to, const T* a, int64_t a_row, int64_t a_step, int64_t rows, int64_t depth);
  /// Packs one B panel, tile_columns wide, zeros from `columns` on.
  void (*pack_b)(T* to, const T* b, int64_t b_step, int64_t b_column, int64_t columns,
                 int64_t depth);
  void (*block)(const GemmBlock<T>&);
  void (*dots)(const DotBlock<T>&);
  /// rows <= kTinyRows, columns <= kTinyColumns, depth <= kTinyDepth, nothing packed. B's element
  /// (k, j) lies at b[k * b_step + j * b_panel].
  void (*tiny)(const GemmBlock<T>&);
};

struct GemmTable {
  GemmKernels<float> f32;
  GemmKernels<double> f64;
};

namespace sse2 {
extern const GemmTable gemm_table;
}
namespace avx2 {
extern const GemmTable gemm_table;
}
namespace avx512 {
extern const GemmTable gemm_table;
}

}  // namespace reprise::cpu
