#pragma once
// Sums of gradients, made in place where nobody else can see it.

#include "record.h"

namespace reprise {

/// sum += more; an undefined `sum` becomes `more` itself.
void add_gradient(Tensor& sum, Tensor more);

/// Adds to leaf.grad, which never shares memory with another tensor that somebody holds.
void accumulate_gradient(Leaf& leaf, Tensor gradient);

}  // namespace reprise
