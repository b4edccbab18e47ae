#include "graphviz.h"

#include <algorithm>
#include <array>

#include "../core/error.h"
#include "../io/file.h"

namespace reprise::detail {
namespace {

constexpr std::array<std::string_view, 5> kFormats{"dot", "gv", "svg", "png", "pdf"};

/// What stands behind the last dot of the file's name, in small letters.
std::string format_of(const std::string& path) {
  const size_t slash = path.rfind('/'), dot = path.rfind('.');
  std::string out;
  if (dot != path.npos && (slash == path.npos || dot > slash)) out = path.substr(dot + 1);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const bool known = std::ranges::find(kFormats, out) != kFormats.end();
  check(known, ErrorKind::Value,
        "draw_graph: expected a file that ends in .dot, .gv, .svg, .png or .pdf, got \"", path,
        '"');
  return out;
}

std::string render(const std::string& dot, const std::string& format) {
  if (format == "dot" || format == "gv") return dot;
  return has_graphviz_library() ? render_with_library(dot, format)
                                : render_with_program(dot, format);
}

}  // namespace

void write_picture(const std::string& path, const std::string& dot) {
  const std::string format = format_of(path);
  AtomicFile file(path);  // one that cannot be written fails before the work
  const std::string picture = render(dot, format);
  file.write(std::as_bytes(std::span(picture)));
  file.commit();
}

void graphviz_failed(const std::string& format, std::string words) {
  words.erase(words.find_last_not_of(" \n") + 1);
  std::ranges::replace(words, '\n', ' ');
  fail(ErrorKind::Io, "draw_graph: Graphviz failed to make ", format, words.empty() ? "" : ": ",
       words);
}

}  // namespace reprise::detail
