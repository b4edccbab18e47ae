#pragma once
// Sums of gradients, made in place where that is allowed.

#include <span>
#include <utility>

#include "record.h"

namespace reprise {

using LeafGradient = std::pair<Leaf*, Tensor>;

/// sum += more, in place when nobody else can see it; an undefined `sum` becomes `more` itself.
void add_gradient(Tensor& sum, Tensor more);

/// Adds each gradient to the .grad of its leaf. As in PyTorch a .grad that is there keeps its
/// memory, so whoever holds it sees the sum, unless gradients are recorded or it has a history; a
/// new one shares memory with no other tensor.
void accumulate_gradients(std::span<LeafGradient> gradients);

}  // namespace reprise
