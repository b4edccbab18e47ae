#pragma once
// Graphviz text line by line, and the look that all our graphs share.

#include <string>
#include <string_view>
#include <vector>

#include "../core/error.h"

namespace reprise::detail {

inline constexpr std::string_view kInputColor = "#cfe2ff", kOutputColor = "#d1e7dd",
                                  kCaptureColor = "#fff3cd";

/// The attribute that fills a box with a colour.
std::string filled_with(std::string_view color);

/// What Graphviz shows as `raw` when it stands between quotes. A line break becomes `line_break`.
std::string dot_escaped(std::string_view raw, std::string_view line_break = " ");

/// Opens the graph, sets fonts and colours, indents lines and keeps frames open.
class DotWriter {
 public:
  /// `frame_label` makes the text between the quotes of a frame's name.
  explicit DotWriter(std::string (*frame_label)(std::string_view name));

  template <class... Parts>
  void line(const Parts&... parts) {
    out_.append(2 * (frames_.size() + 1), ' ');
    (append_part(out_, parts), ...);
    out_ += '\n';
  }
  /// Closes and opens frames until the next line stands in these, outermost first. Their names must
  /// live as long as this does.
  void move_into(const std::vector<std::string_view>& frames);
  /// Closes all and gives the text.
  std::string take();

 private:
  std::string out_;
  std::string (*frame_label_)(std::string_view);
  std::vector<std::string_view> frames_;  // open ones
  int32_t count_ = 0;
};

}  // namespace reprise::detail
