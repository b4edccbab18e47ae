#pragma once

#include "graph.h"

namespace reprise {

/// The graph as Graphviz text (`dot -Tsvg`): a box for each op call with the type of what it makes,
/// in frames that follow the layers; inputs blue, captures yellow and beside each of their readers,
/// outputs green, views grey. Solid edges are reads; dashed ones lead from the value whose memory
/// is written, and to the captures that hold another value at the end.
REPRISE_API std::string to_dot(const Graph& graph);

}  // namespace reprise
