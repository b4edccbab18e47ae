#pragma once
// Columns of text, as wide as what stands in them or shortened to a width.

#include <cstdint>
#include <string>
#include <vector>

namespace reprise::detail {

struct TextTable {
  std::vector<std::vector<std::string>> rows;  ///< the first is the header
  std::vector<bool> is_text;                   ///< by column: shortened first, unlike numbers
  std::string totals;                          ///< lines below the rows

  /// No row is longer than `width` characters, unless columns would be narrower than three; 0 for
  /// any width. Texts and the headers of numbers give way first, then numbers.
  std::string text(size_t width) const;
};

}  // namespace reprise::detail
