#include "text_table.h"

#include <algorithm>
#include <numeric>

namespace reprise::detail {
namespace {

constexpr size_t kGap = 3;
constexpr size_t kNarrowest = 3;
using Widths = std::vector<size_t>;

bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }

/// Characters of UTF-8.
size_t length(const std::string& s) {
  return static_cast<size_t>(std::ranges::count_if(s, begins_character));
}

std::string shortened(const std::string& s, size_t width) {
  if (length(s) <= width) return s;
  size_t end = 0;
  for (size_t characters = 0; end < s.size(); ++end) {
    if (begins_character(s[end]) && ++characters == width) break;
  }
  return s.substr(0, end) + "…";
}

size_t total(const Widths& widths) {
  return std::accumulate(widths.begin(), widths.end(), kGap * (widths.size() - 1));
}

/// What stands in each column from row `first` on.
Widths widths_of(const TextTable& table, size_t first) {
  Widths widths(table.rows.front().size());
  for (size_t r = first; r < table.rows.size(); ++r) {
    for (size_t c = 0; c < widths.size(); ++c) {
      widths[c] = std::max(widths[c], length(table.rows[r][c]));
    }
  }
  return widths;
}

/// The widest column that may gives way first.
void shrink(Widths& widths, const Widths& narrowest, size_t width) {
  while (total(widths) > width) {
    size_t* widest = nullptr;
    for (size_t c = 0; c < widths.size(); ++c) {
      if (widths[c] <= std::max(narrowest[c], kNarrowest)) continue;
      if (widest == nullptr || widths[c] > *widest) widest = &widths[c];
    }
    if (widest == nullptr) return;
    --*widest;
  }
}

void fit(const TextTable& table, Widths& widths, size_t width) {
  Widths narrowest = widths_of(table, 1);
  for (size_t c = 0; c < widths.size(); ++c) {
    if (table.is_text[c]) narrowest[c] = 0;
  }
  shrink(widths, narrowest, width);
  shrink(widths, Widths(widths.size()), width);
}

std::string line_of(const std::vector<std::string>& row, const Widths& widths) {
  std::string line;
  for (size_t c = 0; c < row.size(); ++c) {
    const std::string cell = shortened(row[c], widths[c]);
    line += cell + std::string(widths[c] + kGap - length(cell), ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string TextTable::text(size_t width) const {
  Widths widths = widths_of(*this, 0);
  if (width != 0) fit(*this, widths, width);
  const std::string rule = std::string(total(widths), '_') + "\n",
                    double_rule = std::string(total(widths), '=') + "\n";
  std::string out = rule + line_of(rows.front(), widths) + double_rule;
  for (size_t i = 1; i < rows.size(); ++i) out += line_of(rows[i], widths);
  return out + double_rule + totals + rule;
}

}  // namespace reprise::detail
