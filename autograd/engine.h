#pragma once
// Backward: gradients through the tape, of any order. Nodes run latest first, once all their
// gradients are known, and only those that lead to a gradient somebody asked for.

#include "../core/dispatch.h"

namespace reprise {

/// Adds to the .grad() of every leaf the gradient of the sum of `tensors`, each weighted by its
/// entry in `gradients` (of its shape; missing or undefined: 1 for a tensor of one element).
/// Autograd error when a tensor does not require grad, when the graph was released by an earlier
/// backward, and when data that the gradient needs was changed in place; no .grad() is changed
/// then.
REPRISE_API void backward(const Tensors& tensors, const Tensors& gradients = {},
                          BackwardOptions options = {});

struct GradOptions {
  Tensors grad_outputs = {};  ///< one per output; missing or undefined: 1, as in backward
  std::optional<bool> retain_graph = {};  ///< keep the tape for another pass; default: create_graph
  bool create_graph = false;              ///< the gradients can be differentiated again
  bool allow_unused = false;  ///< an input that no output came from gets an undefined gradient
};

/// The gradients of the sum of `outputs` with respect to `inputs`; no .grad() is touched. The same
/// errors as backward, and Autograd errors for an input that does not require grad or was not used.
REPRISE_API Tensors grad(const Tensors& outputs, const Tensors& inputs,
                         const GradOptions& options = {});

}  // namespace reprise
