#pragma once
// Copies of matrices with rows and columns exchanged, once per instruction set.

#include <cstdint>

#include "isa.h"

namespace reprise::cpu {

/// to[r * to_row + c] = from[c * from_column + r] for r < rows and c < columns; the steps are in
/// bytes.
using Transpose = void (*)(int64_t rows, int64_t columns, void* to, int64_t to_row,
                           const void* from, int64_t from_column);

/// By the size of an element: 4 or 8 bytes.
struct TransposeTable {
  Transpose words, doubles;
};

namespace sse2 {
extern const TransposeTable transpose_table;
}
namespace avx2 {
extern const TransposeTable transpose_table;
}
namespace avx512 {
extern const TransposeTable transpose_table;
}

inline const TransposeTable& transpose_table(Isa level = isa()) {
  return pick(level, sse2::transpose_table, avx2::transpose_table, avx512::transpose_table);
}

}  // namespace reprise::cpu
