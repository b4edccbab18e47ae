#pragma once

#include <vector>

#include "../core/tensor.h"

namespace reprise {

/// The leaves that require grad from which `tensors` were made, each once.
std::vector<Tensor> leaves_of(std::span<const Tensor> tensors);

/// Whether somebody wants to see the gradient of `t` (Tensor::register_hook).
bool has_gradient_hook(const Tensor& t);

}  // namespace reprise
