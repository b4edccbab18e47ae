// Graphviz text of graphs.

#include "../../graph/dot.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "text_graphs.h"

namespace reprise {
namespace {

/// The lines behind the head, which is style alone.
std::string body(const Graph& g) {
  const std::string dot = to_dot(g);
  const size_t edge_style = dot.find("\n  edge [");
  return dot.substr(dot.find('\n', edge_style + 1) + 1);
}

TEST(Dot, DrawsCallsFramesAndWrites) {
  EXPECT_EQ(body(test::small_graph()), R"(  v0 [label="input 0\nfloat32[8, 4]", fillcolor="#cfe2ff"]
  subgraph cluster_0 {
    label="prologue"
    v1_c0 [label="fc.weight\nfloat32[2, 4]", fillcolor="#fff3cd"]
    c0 [label="permute\nfloat32[4, 2 : 1, 4]", tooltip="permute {dims=[1, 0]}", fillcolor="#f4f4f4", color="#aaaaaa"]
  }
  subgraph cluster_1 {
    label="fc"
    c1 [label="matmul\nfloat32[8, 2]", tooltip="matmul", penwidth=1]
  }
  subgraph cluster_2 {
    label="act"
    c2 [label="relu\nfloat32[8, 2]", tooltip="relu", penwidth=1]
  }
  c3 [label="full\nint64[]", tooltip="full {shape=[], value=1, dtype=int64, device=cpu}", penwidth=1]
  v2_c4 [label="my count\nint64[]", fillcolor="#fff3cd"]
  c4 [label="add\nint64[]", tooltip="add", penwidth=1]
  v1_c0 -> c0 []
  v0 -> c1 []
  c0 -> c1 []
  c1 -> c2 [style=dashed]
  v2_c4 -> c4 [style=dashed]
  c3 -> c4 []
  out0 [label="output 0", fillcolor="#d1e7dd"]
  c2 -> out0 []
  out1 [label="output 1", fillcolor="#d1e7dd"]
  v0 -> out1 []
  update0 [label="my count", fillcolor="#fff3cd"]
  c4 -> update0 [style=dashed]
}
)");
}

TEST(Dot, EscapesNamesAndBalancesFrames) {
  Graph g = test::large_graph();
  for (Call& call : g.code)
    call.where = call.where.empty() ? "" : "a\"} {\n\\." + call.where + "..x";
  const std::string dot = to_dot(g);
  EXPECT_NE(dot.find(R"(label="a \"quoted\\\" name %7\n)"), dot.npos) << dot;
  EXPECT_NE(dot.find(R"(label="a\"} { \\")"), dot.npos) << dot;
  EXPECT_NE(dot.find(R"( [taillabel="1" ])"), dot.npos) << dot;
  size_t open = 0;
  for (size_t begin = 0; begin < dot.size(); begin = dot.find('\n', begin) + 1) {
    const std::string line = dot.substr(begin, dot.find('\n', begin) - begin);
    open += line.ends_with("{") ? 1 : 0;
    open -= line.ends_with("}") ? 1 : 0;
  }
  EXPECT_EQ(open, 0U);
}

}  // namespace
}  // namespace reprise
