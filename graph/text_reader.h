#pragma once
// TextReader: reads the text of graphs and ops piece by piece. Spaces between pieces do not matter,
// ends of lines do. The text is not trusted: whatever does not fit is a Format error of the form
//   parse: line 3, column 12: expected ',' or ')', got 'foo'

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "../core/error.h"

namespace reprise::detail {

class TextReader {
 public:
  /// `reader` begins the errors.
  TextReader(std::string_view reader, std::string_view text) : reader_(reader), text_(text) {}

  /// Goes past `symbol` when it comes next.
  bool accept(std::string_view symbol);
  void expect(std::string_view symbol);
  /// The same for a whole word.
  bool accept_word(std::string_view word);

  /// Letters, digits and _ . + - without a gap: a name or a number. `peek` stays in front of it.
  std::string_view word(std::string_view what);
  std::string_view peek();
  int64_t integer(int64_t least, int64_t most);
  uint64_t whole_number();
  double real();
  /// What `quote` wrote, when a quotation mark comes next.
  std::optional<std::string> accept_quoted();

  /// Goes past the end of this line when nothing else but a comment is left of it; the comment,
  /// without its #, goes to `comment`.
  bool accept_end_of_line(std::string_view* comment = nullptr);
  bool at_end();
  /// 1 for the first.
  size_t line() const;

  /// "expected <what>, got <what comes next>"
  [[noreturn]] void fail_expected(std::string_view what);
  /// About the piece that was read last.
  [[noreturn]] void fail_last(std::string_view message) const;

 private:
  void skip_spaces();
  void advance(size_t count);
  [[noreturn]] void fail_at(size_t at, std::string_view message) const;

  std::string_view reader_, text_;
  size_t at_ = 0, last_ = 0;  // of the next piece and of the last
};

/// Reads `item` after `item` between brackets; none is fine.
template <class F>
void read_list(TextReader& in, std::string_view open, std::string_view close, F item) {
  in.expect(open);
  if (in.accept(close)) return;
  do item();
  while (in.accept(","));
  in.expect(close);
}

/// Whether all of `name` may stand in a word.
bool is_word(std::string_view name);
/// "name" with \" and \\ for these two, and \n for the end of a line.
std::string quote(std::string_view name);

}  // namespace reprise::detail
