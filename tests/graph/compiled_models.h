#pragma once
// What tests of compiled models share.

#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../layers/nn.h"
#include "replay.h"

namespace reprise::test {

inline ModelCompileOptions exact(ModelCompileOptions options = {}) {
  options.compile.passes = "none";
  options.compile.check_memory = true;
  return options;
}

/// Batch norm, dropout, a shared layer, branches, a view, a constant with a gradient.
inline SymbolicModel busy_model(Device device = {}) {
  const Tensor x = Input({6, 4});
  const Tensor scale =
      tensor({1.5, -0.5, 2.0, 1.0, 0.25, -1.0}, {.device = device, .requires_grad = true});
  nn::Linear shared(6, 6);
  Tensor h = nn::BatchNorm1d(6)(relu(shared(mean(x, 2) * scale)));
  h = nn::Dropout(0.3)(shared(h)) + h;
  const Tensor left = nn::Linear(6, 3)(h).tanh();
  const Tensor right = softmax(h.reshape({-1, 2, 3}).sum(1), 1);
  return SymbolicModel(x, {left * right, left, argmax(right, 1)});
}

/// Outputs, then the gradients of all parameters and of `x`, for the weighted sum of the
/// differentiable outputs in `used`.
inline Tensors gradients(SymbolicModel& model, const Tensor& x, std::vector<size_t> used) {
  manual_seed(11);
  model.zero_grad();
  const Tensor in = x.detach().requires_grad_();
  const Tensors ys = model.outputs(in);
  Tensor loss = zeros({}, {.dtype = x.dtype(), .device = x.device()});
  for (size_t i : used) loss = loss + (ys[i] * ys[i]).sum() * static_cast<double>(i + 1);
  loss.backward();
  Tensors out;
  for (const Tensor& y : ys) out.push_back(y.detach());
  for (const Tensor& p : model.parameters()) out.push_back(p.grad());
  out.push_back(in.grad());
  return out;
}

inline bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace reprise::test
