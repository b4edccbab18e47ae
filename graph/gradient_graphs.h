#pragma once
// A function and its gradients as graphs of their own. Both are traced at once, forward and then
// backward; the graph is cut between them, and the values that cross the cut become outputs of the
// one and inputs of the other.

#include "trace.h"

namespace reprise::detail {

/// A value of the forward that a backward reads: an input or output of `GradientGraphs::forward`.
struct CrossingValue {
  bool is_input;
  size_t index;
};

/// Gradients of some of the outputs.
struct BackwardGraph {
  std::vector<bool> given;    ///< by differentiable output: whether it has a gradient
  Graph graph;                ///< (values of `reads`, gradients of the given outputs) -> gradients
  std::vector<size_t> reads;  ///< which of the crossing values
  std::vector<size_t> targets;  ///< whose gradients it returns
};

struct GradientGraphs {
  Graph forward;                       ///< inputs -> outputs, and then other values that cross
  size_t num_outputs;                  ///< of the function
  std::vector<size_t> differentiable;  ///< outputs that require grad; none: nothing below
  std::vector<CrossingValue> crossing;
  std::vector<size_t> inputs;  ///< those that require grad: the first targets
  std::vector<Tensor> leaves;  ///< parameters and constants that require grad: the other targets
  /// For the gradients of all outputs; when there are several, also of each one alone.
  std::vector<BackwardGraph> backward;
};

/// Graph error for what cannot be cut: inputs written in place, a backward that changes what the
/// forward made, gradient hooks on leaves. Besides, the errors of trace.
GradientGraphs trace_gradients(const Traceable& f, std::span<const Example> examples,
                               const TraceOptions& options);

}  // namespace reprise::detail
