// Ways to copy a block, best first: rows that are dense on both sides, transposed in registers,
// rows of one value, one by one.

#include "block_copy.h"

#include <cstring>

#include "simd/transpose_copy.h"

namespace reprise::cpu {
namespace {

template <class Word>
Word& at(const Part& part, int64_t row, int64_t column) {
  return *reinterpret_cast<Word*>(part.data + row * part.row + column * part.column);
}

template <class Word>
bool try_rows(int64_t rows, int64_t columns, const Part& to, const Part& from) {
  constexpr auto size = static_cast<int64_t>(sizeof(Word));
  if (to.column != size || from.column != size) return false;
  const int64_t bytes = columns * size;
  const bool joined = to.row == bytes && from.row == bytes;
  const int64_t pieces = joined ? 1 : rows;
  const auto length = static_cast<size_t>(joined ? rows * bytes : bytes);
  for (int64_t r = 0; r < pieces; ++r) {
    std::memcpy(to.data + r * to.row, from.data + r * from.row, length);
  }
  return true;
}

template <class Word>
bool try_transpose(int64_t rows, int64_t columns, const Part& to, const Part& from) {
  constexpr auto size = static_cast<int64_t>(sizeof(Word));
  if constexpr (size < 4) return false;
  if (rows == 1 || columns == 1) return false;
  const TransposeTable& table = transpose_table();
  const auto transpose = size == 4 ? table.words : table.doubles;
  if (to.column == size && from.row == size) {
    transpose(rows, columns, to.data, to.row, from.data, from.column);
    return true;
  }
  if (to.row == size && from.column == size) {
    transpose(columns, rows, to.data, to.column, from.data, from.row);
    return true;
  }
  return false;
}

template <class Word>
bool try_fill(int64_t rows, int64_t columns, const Part& to, const Part& from) {
  if (to.column != static_cast<int64_t>(sizeof(Word)) || from.column != 0) return false;
  for (int64_t r = 0; r < rows; ++r) {
    std::fill_n(&at<Word>(to, r, 0), columns, at<Word>(from, r, 0));
  }
  return true;
}

template <class Word>
void copy_words(int64_t rows, int64_t columns, const Part& to, const Part& from) {
  if (try_rows<Word>(rows, columns, to, from)) return;
  if (try_transpose<Word>(rows, columns, to, from)) return;
  if (try_fill<Word>(rows, columns, to, from)) return;
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) at<Word>(to, r, c) = at<Word>(from, r, c);
  }
}

}  // namespace

void copy_block(int64_t rows, int64_t columns, int64_t element, const Part& to, const Part& from) {
  if (element == 4) return copy_words<uint32_t>(rows, columns, to, from);
  if (element == 8) return copy_words<uint64_t>(rows, columns, to, from);
  if (element == 2) return copy_words<uint16_t>(rows, columns, to, from);
  copy_words<uint8_t>(rows, columns, to, from);
}

}  // namespace reprise::cpu
