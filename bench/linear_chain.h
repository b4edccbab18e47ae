#pragma once
// Deep chains of Linear(4, 4), where the arithmetic costs next to nothing.

#include <reprise/reprise.h>

#include <vector>

namespace reprise_bench {

inline reprise::SymbolicModel linear_chain(int64_t depth) {
  const auto inputs = reprise::Input({4});
  auto x = inputs;
  for (int64_t i = 0; i < depth; ++i) x = reprise::nn::Linear(4, 4)(x);
  return reprise::SymbolicModel(inputs, x);
}

inline std::vector<reprise::nn::Linear> linear_layers(int64_t depth) {
  std::vector<reprise::nn::Linear> layers;
  for (int64_t i = 0; i < depth; ++i) layers.emplace_back(4, 4);
  return layers;
}

inline reprise::nn::Sequential eager_chain(int64_t depth) {
  reprise::nn::Sequential chain;
  for (const auto& layer : linear_layers(depth)) chain.push_back(layer);
  return chain;
}

/// x, the gradient of the output -> those of all parameters.
inline auto chain_gradients(const reprise::SymbolicModel& model) {
  return [model, parameters = model.parameters()](const reprise::Tensor& x,
                                                  const reprise::Tensor& gradient) {
    return reprise::grad({model(x)}, parameters, {.grad_outputs = {gradient}});
  };
}

/// The model as something to trace.
inline auto model_function(const reprise::SymbolicModel& model) {
  return [model](const reprise::Tensor& x) { return model(x); };
}

}  // namespace reprise_bench
