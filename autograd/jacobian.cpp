#include "jacobian.h"

#include <algorithm>

#include "../core/ops.h"
#include "engine.h"

namespace reprise {
namespace {

/// The gradient of element `row` of `output`, for each input.
Tensors gradient_of(const Tensor& output, int64_t row, const Tensors& inputs) {
  Tensors tracked;
  for (const Tensor& x : inputs) {
    if (x.requires_grad()) tracked.push_back(x);
  }
  Tensor seed = zeros(output.shape(), {.dtype = float64});
  *element(seed, row) = 1;
  const Tensors found =
      grad({output}, tracked,
           {.grad_outputs = {seed.to(output.dtype())}, .retain_graph = true, .allow_unused = true});
  Tensors all;
  size_t next = 0;
  for (const Tensor& x : inputs) all.push_back(x.requires_grad() ? found[next++] : Tensor());
  return all;
}

}  // namespace

std::vector<Jacobian> jacobians(const Tensor& output, const Tensors& inputs) {
  std::vector<Jacobian> out;
  for (const Tensor& x : inputs) {
    out.push_back(
        {std::vector<double>(static_cast<size_t>(output.numel() * x.numel())), x.numel()});
  }
  for (int64_t row = 0; row < output.numel() && output.requires_grad(); ++row) {
    const Tensors gradients = gradient_of(output, row, inputs);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!gradients[i].defined()) continue;
      const std::vector<double> line = gradients[i].to_vector<double>();
      std::copy(line.begin(), line.end(), out[i].values.begin() + row * out[i].columns);
    }
  }
  return out;
}

/// Where element `index`, in row-major order, stands.
double* element(const Tensor& x, int64_t index) {
  double* at = x.data<double>();
  for (size_t d = x.shape().size(); d-- > 0;) {
    at += index % x.shape()[d] * x.strides()[d];
    index /= x.shape()[d];
  }
  return at;
}

}  // namespace reprise
