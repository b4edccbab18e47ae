#pragma once
// Activation: what a fused product or convolution applies to its result.

#include <cstdint>
#include <string_view>

#include "elementwise.h"

namespace reprise {

enum class Activation : uint8_t { none, relu, tanh, sigmoid, gelu, gelu_tanh };

/// The name of the op that applies it, or "none".
constexpr std::string_view to_string(Activation activation) {
  constexpr std::string_view names[] = {"none", "relu", "tanh", "sigmoid", "gelu", "gelu_tanh"};
  return names[static_cast<int>(activation)];
}

/// The op that applies it.
constexpr ElementwiseIndex elementwise_index(Activation activation) {
  constexpr ElementwiseIndex ops[] = {ElementwiseIndex::none, ElementwiseIndex::Relu,
                                      ElementwiseIndex::Tanh, ElementwiseIndex::Sigmoid,
                                      ElementwiseIndex::Gelu, ElementwiseIndex::GeluTanh};
  return ops[static_cast<int>(activation)];
}

/// The op (gy, saved) that gives its gradient, where there is one: `saved` is what backward keeps,
/// the result of a ReLU and the operand of a GELU.
constexpr ElementwiseIndex gradient_index(Activation activation) {
  if (activation == Activation::relu) return ElementwiseIndex::ReluGrad;
  if (activation == Activation::gelu) return ElementwiseIndex::GeluGrad;
  if (activation == Activation::gelu_tanh) return ElementwiseIndex::GeluTanhGrad;
  return ElementwiseIndex::none;
}

}  // namespace reprise
