#include "draw.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include "dot_writer.h"
#include "drawn_graph.h"
#include "graphviz.h"

namespace reprise {
namespace {

using detail::dot_escaped, detail::DrawnEdge, detail::DrawnNode, detail::filled_with;

constexpr size_t kLarge = 1000;  // nodes; straight lines would take Graphviz long then

/// The name of a nested model in two lines: lines into its box mostly pass right of them.
std::string box_label(std::string_view name) {
  const auto distance = [&](size_t at) {
    return std::abs(std::ssize(name) - 2 * static_cast<int64_t>(at));
  };
  size_t best = name.size();
  for (size_t i = 1; i < name.size(); ++i) {
    const bool word = std::isupper(static_cast<unsigned char>(name[i])) || name[i - 1] == '_' ||
                      name[i - 1] == ' ';
    if (word && distance(i) < distance(best)) best = i;
  }
  std::string label = dot_escaped(name.substr(0, best)) + "\\l";
  if (best < name.size()) label += dot_escaped(name.substr(best)) + "\\l";
  return label;
}

class Picture {
 public:
  Picture(detail::DrawnGraph graph, const DrawOptions& options)
      : graph_(std::move(graph)), options_(options) {
    for (const auto& [name, x] : options.names) {
      names_.emplace(node_of("draw_graph", x.node).sequence(), &name);
    }
    for (const DrawnNode& node : graph_.nodes) {
      inputs_ += node.inputs.size();
      outputs_ += node.outputs.size();
    }
  }

  std::string draw() {
    draw_head();
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!graph_.nodes[i].inputs.empty()) draw_node(i);
    }
    for (size_t i = 0; i < graph_.edges.size(); ++i) {
      out_.move_into(graph_.edges[i].boxes);
      draw_call(i);
      for (const auto& [place, node] : graph_.edges[i].out) draw_node(node);
    }
    out_.move_into({});
    for (size_t i = 0; i < graph_.edges.size(); ++i) draw_lines(i);
    draw_columns();
    draw_legend();
    return out_.take();
  }

 private:
  void draw_head() {
    out_.line("graph [ranksep=0.12, nodesep=0.3, labeljust=l",
              options_.rotate ? ", rankdir=LR" : "",
              graph_.nodes.size() > kLarge ? ", nslimit=2" : "", size_text(), "]");
    out_.line("node [height=0.25, margin=\"0.09,0.03\"]");
  }

  std::string size_text() const {
    const auto [width, height] = options_.figsize;
    return width == 0 ? "" : text(", size=\"", width, ",", height, "!\"");
  }

  // ---- Values
  std::string_view variable_of(const DrawnNode& node) const {
    for (uint64_t sequence : node.nodes) {
      if (const auto at = names_.find(sequence); at != names_.end()) return *at->second;
    }
    return {};
  }

  /// "input 1, output 0" where there are several from which a reader would have to tell it.
  std::string role_of(const DrawnNode& node) const {
    std::string out;
    const auto add = [&](std::string_view role, const std::vector<size_t>& places) {
      for (size_t place : places) out += text(out.empty() ? "" : ", ", role, " ", place);
    };
    if (inputs_ > 1) add("input", node.inputs);
    if (outputs_ > 1) add("output", node.outputs);
    return out;
  }

  std::string node_text(const DrawnNode& node) const {
    const std::string_view variable = variable_of(node);
    const detail::Value& value = *node.value;
    if (options_.node_text) {
      return options_.node_text({value.name, value.type, variable, value.meta});
    }
    const std::string title = variable.empty() ? role_of(node) : std::string(variable);
    return title.empty() ? value.type : title + "\n" + value.type;
  }

  static std::string fill_of(const DrawnNode& node) {
    const bool input = !node.inputs.empty(), output = !node.outputs.empty();
    if (input && output) {
      return filled_with(text(detail::kInputColor, ";0.5:", detail::kOutputColor));
    }
    return filled_with(input ? detail::kInputColor : output ? detail::kOutputColor : "white");
  }

  void draw_node(size_t i) {
    const DrawnNode& node = graph_.nodes[i];
    out_.line("v", i, " [label=\"", dot_escaped(node_text(node), "\\n"), "\", ", fill_of(node),
              "]");
  }

  // ---- Calls: a text on the way from what is read to what is made
  void draw_call(size_t i) {
    const detail::Step& step = *graph_.edges[i].step;
    const auto* layer = dynamic_cast<const nn::Module*>(step.callable.get());
    const std::string words =
        options_.edge_text ? options_.edge_text({step.name, layer}) : step.name;
    draw_words(text("c", i), words);
  }

  void draw_words(std::string_view name, std::string_view words) {
    out_.line(name, " [label=\"", dot_escaped(words, "\\n"),
              "\", shape=plain, style=\"\", fontsize=9, fontcolor=\"#3d4752\"]");
  }

  void draw_lines(size_t i) {
    const DrawnEdge& edge = graph_.edges[i];
    for (size_t node : edge.in) {
      const bool next = graph_.nodes[node].row + 1 == edge.row;
      out_.line(source(node, edge.column), " -> c", i, " [dir=none", next ? ", weight=4]" : "]");
    }
    for (const auto& [place, node] : edge.out) {
      if (edge.step->outputs.size() == 1) {
        out_.line("c", i, " -> v", node, " [weight=4]");
      } else {  // which of the results it is stands on the line
        draw_words(text("p", node), text(place));
        out_.line("c", i, " -> p", node, " [dir=none]");
        out_.line("p", node, " -> v", node);
      }
    }
  }

  // ---- Columns
  /// The node, or the circle that stands for it in a later column.
  std::string source(size_t node, size_t column) {
    if (graph_.nodes[node].column == column) return text("v", node);
    const auto [at, is_new] = circles_.try_emplace(node, circles_.size() + 1);
    if (is_new) {
      draw_circle(text("v", node, "_"), at->second);
      out_.line("v", node, " -> v", node, "_ [dir=none]");
    }
    const std::string name = text("v", node, "_", column);
    if (drawn_circles_.insert(name).second) draw_circle(name, at->second);
    return name;
  }

  void draw_circle(std::string_view name, size_t number) {
    out_.line(name, " [label=\"", number,
              "\", shape=circle, fixedsize=true, width=0.22, fontsize=9, ",
              filled_with(detail::kCaptureColor), "]");
  }

  /// What stands on top of a column.
  std::string head_of(size_t column) {
    const auto in_column = [&](const auto& part) { return part.column == column; };
    const auto first = [&](const auto& parts) {
      auto best = std::ranges::find_if(parts, in_column);
      for (auto at = best; at != parts.end(); ++at) {
        if (in_column(*at) && at->row < best->row) best = at;
      }
      return best;
    };
    const auto edge = first(graph_.edges);
    if (column > 0 && edge != graph_.edges.end() && !edge->in.empty()) {
      return source(edge->in.front(), column);
    }
    return text("v", first(graph_.nodes) - graph_.nodes.begin());
  }

  /// Invisible lines from head to head put them side by side.
  void draw_columns() {
    if (graph_.columns < 2) return;
    std::string heads;
    for (size_t c = 0; c < graph_.columns; ++c) heads += text(c == 0 ? "" : " -> ", head_of(c));
    out_.line("{ rank=same; ", heads, " [style=invis] }");
  }

  // ---- Legend
  static std::string legend_entry(std::string_view color, std::string_view words) {
    return text("<td border=\"1\" style=\"rounded\" bgcolor=\"", color, "\">", words, "</td>");
  }

  /// Comes last: frames would inherit it.
  void draw_legend() {
    std::string cells = legend_entry(detail::kInputColor, "input") +
                        legend_entry("white", "hidden") +
                        legend_entry(detail::kOutputColor, "output");
    if (graph_.columns > 1) cells += legend_entry(detail::kCaptureColor, "goes on");
    out_.line("labelloc=t");
    out_.line(
        "label=<<table border=\"0\" cellspacing=\"6\" cellpadding=\"3\" color=\"#6b7280\"><tr>",
        cells, "</tr></table>>");
  }

  detail::DrawnGraph graph_;
  const DrawOptions& options_;
  std::unordered_map<uint64_t, const std::string*> names_;  // by SymbolicNode::sequence
  size_t inputs_ = 0, outputs_ = 0;
  std::map<size_t, size_t> circles_;  // the numbers of nodes that are read in later columns
  std::set<std::string> drawn_circles_;
  detail::DotWriter out_{box_label};
};

void check_options(const DrawOptions& o) {
  const auto [width, height] = o.figsize;
  const bool natural = width == 0 && height == 0;
  const bool given = width > 0 && height > 0 && std::isfinite(width) && std::isfinite(height);
  check(natural || given, ErrorKind::Value,
        "draw_graph: expected a figsize of two positive numbers, got ", width, " and ", height);
  check(o.depth >= 0, ErrorKind::Value, "draw_graph: expected a depth of at least 0, got ",
        o.depth);
  const int wrap = o.wrap.value_or(0);
  check(wrap >= 0, ErrorKind::Value, "draw_graph: expected a wrap of at least 0, got ", wrap);
}

std::string draw(const detail::ReplayPlan& plan, const DrawOptions& options) {
  check_options(options);
  detail::DrawnGraph graph = detail::drawn_graph(plan, options.expand_nested ? options.depth : 0);
  detail::set_columns(graph, options.wrap.value_or(options.rotate ? 12 : 36));
  std::string dot = Picture(std::move(graph), options).draw();
  if (!options.file.empty()) detail::write_picture(options.file, dot);
  return dot;
}

}  // namespace

std::string draw_graph(const SymbolicModel& model, const DrawOptions& options) {
  return draw(model.plan(), options);
}

std::string draw_graph(const SymbolicTensors& inputs, const SymbolicTensors& outputs,
                       const DrawOptions& options) {
  return draw(detail::make_replay_plan(inputs, outputs), options);
}

}  // namespace reprise
