#pragma once

#include "gradient_graphs.h"

namespace reprise::detail {

/// The scope in which the calls of backward `k` are traced.
std::string backward_scope(size_t k);

/// Cuts the graph of (inputs, gradients) -> (outputs, gradients of each backward) into those of
/// `result`, whose other members are known. Graph error when it cannot.
void split_graph(const Graph& joint, size_t num_inputs, GradientGraphs& result);

}  // namespace reprise::detail
