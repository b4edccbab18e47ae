#pragma once
// Activation: what a fused product or convolution applies to its result.

#include <cstdint>
#include <string_view>

#include "../export.h"

namespace reprise {

enum class Activation : uint8_t { none, relu, tanh, sigmoid };

/// "none", "relu", "tanh", "sigmoid"
constexpr std::string_view to_string(Activation activation) {
  constexpr std::string_view names[] = {"none", "relu", "tanh", "sigmoid"};
  return names[static_cast<int>(activation)];
}

}  // namespace reprise
