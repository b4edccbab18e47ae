#pragma once
// The activations of fused ops, and their gradients, by the ops whose bits they have.

#include "../../core/ops/activation.h"

namespace reprise::cuda {

/// y = activation(x), or nothing for none; they may be one.
inline void activate(Activation activation, View x, View y, reprise::Stream stream) {
  const Launch l{{&x, 1}, {&y, 1}, nullptr, stream};
  if (activation == Activation::relu) return Relu{}.cuda(l);
  if (activation == Activation::tanh) return Tanh{}.cuda(l);
  if (activation == Activation::sigmoid) return Sigmoid{}.cuda(l);
  if (activation == Activation::gelu) return Gelu{}.cuda(l);
  if (activation == Activation::gelu_tanh) return GeluTanh{}.cuda(l);
}

/// Over the result, but for a ReLU, which is a part of the store of our own kernels.
inline void activate_in_place(Activation activation, const Launch& l) {
  if (activation != Activation::relu) activate(activation, l.out[0], l.out[0], l.stream);
}

/// gy = the gradient of `activation`, which has one (gradient_index), for gy and what it saved.
inline void multiply_slope(Activation activation, View gy, View saved, reprise::Stream stream) {
  const View in[] = {gy, saved};
  const Launch l{in, {&gy, 1}, nullptr, stream};
  if (activation == Activation::relu) return ReluGrad{}.cuda(l);
  if (activation == Activation::gelu) return GeluGrad{}.cuda(l);
  return GeluTanhGrad{}.cuda(l);
}

}  // namespace reprise::cuda
