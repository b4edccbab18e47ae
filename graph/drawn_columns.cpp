// Rows and columns of a picture: long chains go on in another column, as text does.

#include <algorithm>
#include <map>

#include "drawn_graph.h"

namespace reprise::detail {
namespace {

constexpr int64_t kMaxCrossing = 4;  // values: with more of them a cut would not help a reader

/// The number of rows.
size_t set_rows(DrawnGraph& graph) {
  std::vector<bool> made(graph.nodes.size(), false);
  size_t rows = 1;
  for (DrawnEdge& edge : graph.edges) {
    for (size_t node : edge.in) edge.row = std::max(edge.row, graph.nodes[node].row);
    rows = std::max(rows, ++edge.row + 1);
    for (const auto& [place, node] : edge.out) graph.nodes[node].row = edge.row, made[node] = true;
  }
  std::vector<size_t> first_reader(graph.nodes.size(), SIZE_MAX);
  for (const DrawnEdge& edge : graph.edges) {
    for (size_t node : edge.in) first_reader[node] = std::min(first_reader[node], edge.row);
  }
  for (size_t i = 0; i < made.size(); ++i) {
    if (!made[i] && first_reader[i] != SIZE_MAX) graph.nodes[i].row = first_reader[i] - 1;
  }
  return rows;
}

/// For each row what would be cut below it: values that cross, and boxes, which weigh more.
class Costs {
 public:
  Costs(const DrawnGraph& graph, size_t rows) : steps_(rows + 1, 0) {
    std::vector<size_t> last(graph.nodes.size(), 0);
    std::map<std::vector<std::string_view>, std::pair<size_t, size_t>> boxes;
    for (const DrawnEdge& edge : graph.edges) {
      for (size_t node : edge.in) last[node] = std::max(last[node], edge.row);
      if (edge.boxes.empty()) continue;
      auto& [first_row, last_row] = boxes.try_emplace(edge.boxes, edge.row, edge.row).first->second;
      first_row = std::min(first_row, edge.row);
      last_row = std::max(last_row, edge.row);
    }
    for (size_t i = 0; i < last.size(); ++i) add(graph.nodes[i].row, last[i], 1);
    for (const auto& [names, range] : boxes) add(range.first, range.second, kMaxCrossing + 1);
    for (size_t row = 1; row < steps_.size(); ++row) steps_[row] += steps_[row - 1];
  }
  int64_t below(size_t row) const { return steps_[row]; }

 private:
  void add(size_t first, size_t end, int64_t weight) {
    if (first >= end) return;
    steps_[first] += weight;
    steps_[end] -= weight;
  }

  std::vector<int64_t> steps_;  // differences from row to row, then their sums
};

/// The rows below which the picture is cut: near to equal parts, where little crosses.
std::vector<size_t> find_cuts(const Costs& costs, size_t rows, size_t wrap) {
  std::vector<size_t> cuts;
  const size_t parts = (rows + wrap - 1) / wrap, slack = wrap / 4;
  size_t from = 0;
  for (size_t k = 1; k < parts; ++k) {
    const size_t middle = k * rows / parts - 1;
    size_t best = middle;
    const auto cost = [&](size_t row) {
      return std::pair(costs.below(row), row > middle ? row - middle : middle - row);
    };
    for (size_t row = std::max(from, middle - std::min(middle, slack));
         row < std::min(middle + slack + 1, rows - 1); ++row) {
      if (cost(row) < cost(best)) best = row;
    }
    if (best < from || costs.below(best) > kMaxCrossing) continue;
    cuts.push_back(best);
    from = best + 1;
  }
  return cuts;
}

}  // namespace

void set_columns(DrawnGraph& graph, int wrap) {
  const size_t rows = set_rows(graph);
  if (wrap <= 0) return;
  const std::vector<size_t> cuts = find_cuts(Costs(graph, rows), rows, static_cast<size_t>(wrap));
  const auto column_of = [&](size_t row) {
    return static_cast<size_t>(std::ranges::lower_bound(cuts, row) - cuts.begin());
  };
  for (DrawnNode& node : graph.nodes) node.column = column_of(node.row);
  for (DrawnEdge& edge : graph.edges) edge.column = column_of(edge.row);
  graph.columns = cuts.size() + 1;
}

}  // namespace reprise::detail
