#include "clip_grad.h"

#include <limits>

#include "../autograd/tape.h"
#include "../core/ops.h"

namespace reprise::nn {
namespace {

Tensors gradients_of(std::span<const Tensor> params) {
  Tensors out;
  for (const Tensor& param : params) {
    const Tensor grad = param.grad();
    if (grad.defined() && grad.numel() > 0) out.push_back(grad.detach());
  }
  return out;
}

Tensor norm_of(const Tensors& gradients, bool largest) {
  Tensors parts;
  const Device device = gradients.front().device();  // all norms come together there
  for (const Tensor& gradient : gradients) {
    const Tensor g = is_half(gradient.dtype()) ? gradient.to(float32) : gradient;  // squares grow
    parts.push_back((largest ? max(abs(g)) : sum(g * g)).to(device));
  }
  return largest ? max(stack(parts)) : sqrt(sum(stack(parts)));
}

}  // namespace

Tensor clip_grad_norm_(std::span<const Tensor> params, double max_norm, double norm_type) {
  const bool largest = norm_type == std::numeric_limits<double>::infinity();
  check(largest || norm_type == 2, ErrorKind::Value,
        "clip_grad_norm_: expected a norm_type of 2 or infinity, got ", norm_type);
  check(max_norm >= 0, ErrorKind::Value, "clip_grad_norm_: expected max_norm >= 0, got ", max_norm);
  const NoGradGuard no_grad;
  Tensors gradients = gradients_of(params);
  if (gradients.empty()) return zeros({});
  const Tensor norm = norm_of(gradients, largest);
  const Tensor scale = clamp(max_norm / (norm + 1e-6), {}, 1);
  for (Tensor& g : gradients) g.mul_(scale.to(g.dtype()).to(g.device()));
  return norm;
}

void clip_grad_value_(std::span<const Tensor> params, double value) {
  check(value >= 0, ErrorKind::Value, "clip_grad_value_: expected value >= 0, got ", value);
  const NoGradGuard no_grad;
  for (Tensor& g : gradients_of(params)) g.copy_(clamp(g, -value, value));
}

}  // namespace reprise::nn
