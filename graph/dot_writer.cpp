#include "dot_writer.h"

#include <algorithm>

namespace reprise::detail {
namespace {

constexpr std::string_view kHead = R"(digraph "" {
  graph [fontname="Helvetica,Arial,sans-serif", fontsize=9, color="#b8bec6", fontcolor="#5b6570", style="rounded,filled", fillcolor="#f6f7f9", nodesep=0.2, ranksep=0.3]
  node [fontname="Helvetica,Arial,sans-serif", fontsize=10, shape=box, style="rounded,filled", fillcolor=white, color="#6b7280", height=0.3]
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=8, arrowsize=0.6, color="#6b7280"]
)";

}  // namespace

std::string filled_with(std::string_view color) { return text("fillcolor=\"", color, "\""); }

std::string dot_escaped(std::string_view raw, std::string_view line_break) {
  std::string out;
  for (const char c : raw) {
    switch (c) {
      case '"':
      case '\\': (out += '\\') += c; break;
      case '&': out += "&amp;"; break;  // Graphviz reads entities even between quotes
      case '\n': out += line_break; break;
      default: out += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
    }
  }
  return out;
}

DotWriter::DotWriter(std::string (*frame_label)(std::string_view))
    : out_(kHead), frame_label_(frame_label) {}

void DotWriter::move_into(const std::vector<std::string_view>& frames) {
  const auto same = std::ranges::mismatch(frames_, frames).in1 - frames_.begin();
  while (frames_.size() > static_cast<size_t>(same)) {
    frames_.pop_back();
    line("}");
  }
  while (frames_.size() < frames.size()) {
    const std::string_view name = frames[frames_.size()];
    line("subgraph cluster_", count_++, " {");
    frames_.push_back(name);
    line("label=\"", frame_label_(name), "\"");
  }
}

std::string DotWriter::take() {
  move_into({});
  return std::move(out_) + "}\n";
}

}  // namespace reprise::detail
