#include "dot.h"

#include <algorithm>

#include "dot_writer.h"
#include "type_text.h"

namespace reprise {
namespace {

using detail::dot_escaped, detail::filled_with;

constexpr std::string_view kView = "fillcolor=\"#f4f4f4\", color=\"#aaaaaa\"", kOp = "penwidth=1",
                           kWrite = "style=dashed";

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    out.push_back(path.substr(0, dot));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return out;
}

class Drawing {
 public:
  explicit Drawing(const Graph& graph)
      : graph_(graph), made_by_(definitions(graph)), capture_names_(graph.values.size()) {
    for (const Capture& c : graph.captures) capture_names_[index(c.value)] = &c.name;
  }

  std::string draw() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
      box(node_of(graph_.inputs[i]), text("input ", i), graph_.inputs[i],
          filled_with(detail::kInputColor));
    }
    for (size_t i = 0; i < graph_.code.size(); ++i) {
      std::vector<std::string_view> frames = split(graph_.code[i].where);
      if (i < static_cast<size_t>(graph_.prologue)) frames.insert(frames.begin(), "prologue");
      out_.move_into(frames);
      draw_call(i);
    }
    out_.move_into({});
    for (size_t i = 0; i < graph_.code.size(); ++i) draw_edges(i);
    for (size_t i = 0; i < graph_.outputs.size(); ++i) {
      draw_result(graph_.outputs[i], text("out", i), text("output ", i),
                  filled_with(detail::kOutputColor), "");
    }
    for (size_t i = 0; i < graph_.updates.size(); ++i) {
      const Update& u = graph_.updates[i];
      const std::string* name = capture_names_[index(u.root)];
      draw_result(u.last, text("update", i), name ? *name : "input",
                  filled_with(detail::kCaptureColor), kWrite);
    }
    return out_.take();
  }

 private:
  static size_t index(ValueId id) { return static_cast<size_t>(id); }

  std::string node_of(ValueId id) const {
    const int32_t call = made_by_[index(id)];
    return call < 0 ? text("v", id) : text("c", call);
  }

  void box(const std::string& node, std::string_view title, ValueId id, std::string_view look) {
    out_.line(node, " [label=\"", dot_escaped(title), "\\n", detail::type_text(graph_.meta(id)),
              "\", ", look, "]");
  }

  /// A capture is drawn anew for each reader, beside it: few edges are long.
  std::string source(ValueId id, const std::string& reader) const {
    return capture_names_[index(id)] == nullptr ? node_of(id) : text("v", id, "_", reader);
  }
  void draw_source(ValueId id, const std::string& reader) {
    const std::string* name = capture_names_[index(id)];
    if (name != nullptr) box(source(id, reader), *name, id, filled_with(detail::kCaptureColor));
  }

  /// What the call reads and what it writes over, each once.
  static ValueIds operands(const Call& call) {
    ValueIds out;
    const auto add = [&](ValueId id) {
      if (id != kNoValue && std::ranges::find(out, id) == out.end()) out.push_back(id);
    };
    for (ValueId id : call.in) add(id);
    add(call.into);
    return out;
  }

  void draw_call(size_t i) {
    const Call& call = graph_.code[i];
    for (ValueId id : operands(call)) draw_source(id, text("c", i));
    std::string label(call.op->name());
    for (size_t k = 0; k < returned_outputs(call); ++k) {
      label += "\\n" + detail::type_text(graph_.meta(call.out[k]));
    }
    out_.line("c", i, " [label=\"", label, "\", tooltip=\"", dot_escaped(call.op->text()), "\", ",
              call.op->traits().alias ? kView : kOp, "]");
  }

  void draw_result(ValueId id, const std::string& node, std::string_view title,
                   std::string_view look, std::string_view edge_look) {
    draw_source(id, node);
    out_.line(node, " [label=\"", dot_escaped(title), "\", ", look, "]");
    edge(id, node, edge_look);
  }

  void draw_edges(size_t i) {
    const Call& call = graph_.code[i];
    const std::string node = text("c", i);
    for (size_t k = 0; k < call.in.size(); ++k) {
      const bool written = call.op->traits().writes_input(k) || call.in[k] == call.into;
      edge(call.in[k], node, written ? kWrite : "");
    }
    const bool read = std::ranges::find(call.in, call.into) != call.in.end();
    if (call.into != kNoValue && !read) edge(call.into, node, kWrite);
  }

  /// At its tail stands which of several results of a call is read.
  void edge(ValueId from, const std::string& to, std::string_view look) {
    std::string result;
    const int32_t made_by = made_by_[index(from)];
    if (made_by >= 0) {
      const Call& call = graph_.code[static_cast<size_t>(made_by)];
      const auto place = static_cast<size_t>(std::ranges::find(call.out, from) - call.out.begin());
      const size_t results = returned_outputs(call);
      if (results > 1 && place < results) result = text("taillabel=\"", place, "\" ");
    }
    out_.line(source(from, to), " -> ", to, " [", result, look, "]");
  }

  const Graph& graph_;
  std::vector<int32_t> made_by_;
  std::vector<const std::string*> capture_names_;  // by value; null for all others
  detail::DotWriter out_{[](std::string_view name) { return dot_escaped(name); }};
};

}  // namespace

std::string to_dot(const Graph& graph) { return Drawing(graph).draw(); }

}  // namespace reprise
