// Squares as wide as a vector are read by columns, transposed in registers and written by rows; at
// the edges loads and stores are cut.

#include "transpose_copy.h"

#include "transpose.h"

namespace reprise::cpu::REPRISE_ISA {
namespace {

template <class T>
REPRISE_INLINE void copy_square(T* to, int64_t to_row, int64_t rows, const T* from,
                                int64_t from_column, int64_t columns) {
  constexpr int W = kWidth<T>;
  Vec<T> square[W];
#pragma GCC unroll 16
  for (int c = 0; c < W; ++c) {
    square[c] = c < columns ? load_n(from + c * from_column, rows) : Vec<T>{};
  }
  transpose<T>(square);
#pragma GCC unroll 16
  for (int r = 0; r < W; ++r) {
    if (r < rows) store_n(to + r * to_row, square[r], columns);
  }
}

template <class T>
void transpose_copy(int64_t rows, int64_t columns, void* to, int64_t to_row, const void* from,
                    int64_t from_column) {
  constexpr int W = kWidth<T>, size = sizeof(T);
  T* t = static_cast<T*>(to);
  const T* f = static_cast<const T*>(from);
  to_row /= size;
  from_column /= size;
  for (int64_t r = 0; r < rows; r += W) {
    for (int64_t c = 0; c < columns; c += W) {
      T* square = t + r * to_row + c;
      const T* source = f + c * from_column + r;
      if (r + W <= rows && c + W <= columns) {
        copy_square(square, to_row, W, source, from_column, W);
      } else {
        copy_square(square, to_row, rows - r, source, from_column, columns - c);
      }
    }
  }
}

}  // namespace

constinit const TransposeTable transpose_table = {transpose_copy<int32_t>, transpose_copy<int64_t>};

}  // namespace reprise::cpu::REPRISE_ISA
