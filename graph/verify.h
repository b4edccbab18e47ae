#pragma once

#include "graph.h"

namespace reprise {

/// Proves that a graph means what it says: values are defined before they are read and once, types
/// and memory are those that the ops infer, no value is read after its memory was written again,
/// the prologue depends on unwritten captures alone, every written capture and input has its update
/// and nothing else has one. Graph error naming the call. Linear in the size of the graph.
REPRISE_API void verify(const Graph& graph);

}  // namespace reprise
