#pragma once
// The gradient of one node.

#include "record.h"

namespace reprise {

/// The gradients of the inputs of `node` for gradients `gy` of its outputs, checked; undefined
/// where `needs` is false. They belong to the layer of the node, which errors name. Autograd error
/// when they depend on data that was changed in place.
Tensors differentiate(Node& node, const Tensors& gy, std::span<const bool> needs);

}  // namespace reprise
