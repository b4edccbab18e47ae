#pragma once
// What draw_graph draws: the values and calls of a plan with those of nested models among them, and
// the column in which each stands.

#include "replay_plan.h"

namespace reprise::detail {

inline constexpr size_t kNotDrawn = SIZE_MAX;  ///< in place of a value that is a constant

struct DrawnNode {
  const Value* value;
  size_t row = 0, column = 0;
  std::vector<uint64_t> nodes = {};  ///< SymbolicNode::sequence of each value that it stands for
  std::vector<size_t> inputs = {};   ///< its places among the inputs and outputs of the model
  std::vector<size_t> outputs = {};
};

struct DrawnEdge {
  const Step* step;
  std::vector<size_t> in;                      ///< nodes, each once
  std::vector<std::pair<size_t, size_t>> out;  ///< places among the results of the call, nodes
  std::vector<std::string_view> boxes = {};    ///< the nested models it is in, outermost first
  size_t row = 0, column = 0;                  ///< those of its results
};

struct DrawnGraph {
  std::vector<DrawnNode> nodes;
  std::vector<DrawnEdge> edges;
  size_t columns = 1;
};

/// Models that are layers give way to what they are made of, `depth` levels deep.
DrawnGraph drawn_graph(const ReplayPlan& plan, int depth);

/// Sets rows: the most edges on a way to a node, an input just before its first reader. A picture
/// of more than `wrap` rows is cut into columns where few values cross, if there is such a place; 0
/// is no cut.
void set_columns(DrawnGraph& graph, int wrap);

}  // namespace reprise::detail
