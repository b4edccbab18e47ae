#include "text_reader.h"

#include <algorithm>
#include <charconv>

namespace reprise::detail {
namespace {

bool in_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '+' || c == '-';
}

/// Reads all of `word`, and no more, as a number.
template <class T>
bool read_number(std::string_view word, T& value) {
  const char* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value);
  return error == std::errc() && stop == end;
}

std::string_view trimmed(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r"), last = s.find_last_not_of(" \t\r");
  return first == s.npos ? std::string_view() : s.substr(first, last - first + 1);
}

}  // namespace

bool is_word(std::string_view name) { return !name.empty() && std::ranges::all_of(name, in_word); }

std::string quote(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + '"';
}

void TextReader::skip_spaces() {
  while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r')) {
    ++at_;
  }
}

void TextReader::advance(size_t count) {
  last_ = at_;
  at_ += count;
}

bool TextReader::accept(std::string_view symbol) {
  skip_spaces();
  if (!text_.substr(at_).starts_with(symbol)) return false;
  advance(symbol.size());
  return true;
}

void TextReader::expect(std::string_view symbol) {
  if (!accept(symbol)) fail_expected(text("'", symbol, "'"));
}

std::string_view TextReader::peek() {
  skip_spaces();
  size_t end = at_;
  while (end < text_.size() && in_word(text_[end])) ++end;
  return text_.substr(at_, end - at_);
}

bool TextReader::accept_word(std::string_view word) {
  if (peek() != word) return false;
  advance(word.size());
  return true;
}

std::string_view TextReader::word(std::string_view what) {
  const std::string_view word = peek();
  if (word.empty()) fail_expected(what);
  advance(word.size());
  return word;
}

int64_t TextReader::integer(int64_t least, int64_t most) {
  const std::string_view word = peek();
  int64_t value = 0;
  if (!read_number(word, value) || value < least || value > most) {
    fail_expected(text("a whole number in [", least, ", ", most, "]"));
  }
  advance(word.size());
  return value;
}

uint64_t TextReader::whole_number() {
  const std::string_view word = peek();
  uint64_t value = 0;
  if (!read_number(word, value)) fail_expected("a whole number of at most 64 bits");
  advance(word.size());
  return value;
}

double TextReader::real() {
  const std::string_view word = peek();
  double value = 0;
  if (!read_number(word, value)) fail_expected("a number that fits a float64");
  advance(word.size());
  return value;
}

std::optional<std::string> TextReader::accept_quoted() {
  if (!accept("\"")) return {};
  std::string out;
  while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\n') {
    const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
    at_ += escaped ? 1 : 0;
    if (escaped && text_[at_] != '"' && text_[at_] != '\\' && text_[at_] != 'n') {
      fail_expected("'\"', '\\' or 'n'");
    }
    out += escaped && text_[at_] == 'n' ? '\n' : text_[at_];
    ++at_;
  }
  expect("\"");
  return out;
}

bool TextReader::accept_end_of_line(std::string_view* comment) {
  skip_spaces();
  if (at_ < text_.size() && text_[at_] != '\n' && text_[at_] != '#') return false;
  const size_t end = std::min(text_.find('\n', at_), text_.size());
  if (comment != nullptr && at_ < end) *comment = trimmed(text_.substr(at_ + 1, end - at_ - 1));
  at_ = std::min(end + 1, text_.size());
  return true;
}

bool TextReader::at_end() {
  skip_spaces();
  return at_ == text_.size();
}

size_t TextReader::line() const {
  return 1 + static_cast<size_t>(std::ranges::count(text_.substr(0, at_), '\n'));
}

void TextReader::fail_at(size_t at, std::string_view message) const {
  const std::string_view before = text_.substr(0, at);
  const size_t column = at - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
  fail(ErrorKind::Format, reader_, ": line ", 1 + std::ranges::count(before, '\n'), ", column ",
       column, ": ", message);
}

void TextReader::fail_last(std::string_view message) const { fail_at(last_, message); }

void TextReader::fail_expected(std::string_view what) {
  constexpr size_t kShown = 24;
  std::string_view got = peek();
  if (got.empty()) got = text_.substr(at_, text_.find('\n', at_) - at_);
  const std::string shown = at_ == text_.size() ? "the end of the text"
                            : got.empty()       ? "the end of the line"
                                                : text("'", got.substr(0, kShown), "'");
  fail_at(at_, text("expected ", what, ", got ", shown));
}

}  // namespace reprise::detail
