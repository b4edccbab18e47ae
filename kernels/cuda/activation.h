#pragma once
// The activations of fused ops. A ReLU is a part of the product's own store.

#include "../../core/ops/activation.h"

namespace reprise::cuda {

/// The others run over the result, by the op whose bits they have.
inline void activate_in_place(Activation activation, const Launch& l) {
  const Launch in_place{.in = l.out, .out = l.out, .workspace = nullptr, .stream = l.stream};
  if (activation == Activation::tanh) return Tanh{}.cuda(in_place);
  if (activation == Activation::sigmoid) return Sigmoid{}.cuda(in_place);
  if (activation == Activation::gelu) return Gelu{}.cuda(in_place);
  if (activation == Activation::gelu_tanh) return GeluTanh{}.cuda(in_place);
}

}  // namespace reprise::cuda
