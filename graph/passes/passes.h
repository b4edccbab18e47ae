#pragma once
// What happens to a graph between trace and plan. A pass takes a graph and returns one that
// computes the same, to the bit.

#include "../graph.h"

namespace reprise {

struct Pass {
  std::string_view name;
  Graph (*run)(Graph graph);
};

/// All passes, in the order in which they run.
REPRISE_API std::span<const Pass> all_passes();

#ifdef NDEBUG
inline constexpr bool kVerifyPasses = false;
#else
inline constexpr bool kVerifyPasses = true;
#endif

/// Runs the passes that `spec` names, in their own order: "" all of them, "none", "-hoist,-algebra"
/// all but these, "dead_code,hoist" only these. For "" the environment's REPRISE_PASSES is asked.
/// Value error for an unknown name; an error in a pass, or of verify after it, names the pass.
REPRISE_API Graph optimize(Graph graph, std::string_view spec = {}, bool verify = kVerifyPasses);

namespace passes {

/// Drops calls that no output, update or effect needs, and captures that nothing reads.
REPRISE_API Graph dead_code(Graph graph);

/// Shortens what needs no work: views of views, copies that nobody tells from their source, x * 1,
/// where with a constant condition ...; computes what is alike along a dimension once.
REPRISE_API Graph algebra(Graph graph);

/// Small fills that the next write of their memory alone reads become constants: a gradient that is
/// zeroed and then added to takes one call.
REPRISE_API Graph spare_fills(Graph graph);

/// Lets calls of one op on the same values share one result.
REPRISE_API Graph common_subexpressions(Graph graph);

/// Convolutions with bias, batch normalisation in eval mode, residual and activation, linear layers
/// with their activation, batch normalisation in training with residual and ReLU, the gradients of
/// these and of cross-entropy: one call each.
REPRISE_API Graph fuse(Graph graph);
/// A part of it: one call of a linear layer and its GELU that gives the results of both, since the
/// gradient reads the former.
REPRISE_API Graph keep_linear(Graph graph);

/// Convolutions whose weights nothing changes read them in the order of the kernel.
REPRISE_API Graph pack_weights(Graph graph);

/// Moves what depends on unwritten captures alone into the prologue.
REPRISE_API Graph hoist(Graph graph);

/// Max pooling that keeps places for its gradient alone keeps a byte each.
REPRISE_API Graph small_pool_places(Graph graph);

/// Makes one Fused call of elementwise calls that read one another.
REPRISE_API Graph fuse_elementwise(Graph graph);

/// Moves optimizer steps and other updates in place up to where their gradients are made.
REPRISE_API Graph early_updates(Graph graph);

/// Makes one call of optimizer steps of equal attributes, as long as their gradients are small.
REPRISE_API Graph merge_updates(Graph graph);

/// On a GPU: makes one call of small sums into memory that can run at one point, and of small
/// fills.
REPRISE_API Graph foreach_writes(Graph graph);

/// Updates read gradients of 16 bits rather than copies of them in float32.
REPRISE_API Graph short_gradients(Graph graph);

/// On a GPU: makes one call of small copies from float32 to 16 bits, or back, that can run at one
/// point, such as the casts of weights under autocast.
REPRISE_API Graph foreach_copies(Graph graph);

}  // namespace passes
}  // namespace reprise
