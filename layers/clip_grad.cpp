#include "clip_grad.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/ops/foreach.h"

namespace reprise::nn {
namespace {

/// The gradients of each device, which one call takes.
std::vector<Tensors> gradients_of(std::span<const Tensor> params) {
  std::vector<Tensors> devices;
  for (const Tensor& param : params) {
    const Tensor grad = param.grad();
    if (!grad.defined() || grad.numel() == 0) continue;
    const auto is_there = [&](const Tensors& t) { return t.front().device() == grad.device(); };
    const auto found = std::ranges::find_if(devices, is_there);
    (found != devices.end() ? *found : devices.emplace_back()).push_back(grad.detach());
  }
  return devices;
}

Tensor norm_of(Tensors tensors, bool largest) {
  for (Tensor& t : tensors) {
    if (!t.is_contiguous(t.meta().memory_format())) t = t.contiguous();
  }
  return dispatch(Model(TotalNorm{largest}), tensors).front();
}

/// Of all devices, on the first.
Tensor norm_of(const std::vector<Tensors>& devices, bool largest) {
  Tensors norms;
  for (const Tensors& gradients : devices) {
    norms.push_back(norm_of(gradients, largest).to(devices.front().front().device()));
  }
  return norms.size() == 1 ? norms.front() : norm_of(norms, largest);
}

/// A kernel would scale twice what is listed twice, in two places at once.
void check_each_once(std::span<const Tensor> params) {
  std::set<const void*> seen;
  for (const Tensor& param : params) {
    check(!param.defined() || seen.insert(param.ref().get()).second, ErrorKind::Value,
          "clip_grad_norm_: expected each parameter once, got one of shape ", param.shape(),
          " twice");
  }
}

}  // namespace

Tensor clip_grad_norm_(std::span<const Tensor> params, double max_norm, double norm_type,
                       bool error_if_nonfinite) {
  const bool largest = norm_type == std::numeric_limits<double>::infinity();
  check(largest || norm_type == 2, ErrorKind::Value,
        "clip_grad_norm_: expected a norm_type of 2 or infinity, got ", norm_type);
  check(max_norm >= 0, ErrorKind::Value, "clip_grad_norm_: expected max_norm >= 0, got ", max_norm);
  check_each_once(params);
  const NoGradGuard no_grad;
  const std::vector<Tensors> devices = gradients_of(params);
  if (devices.empty()) return zeros({});
  Tensor norm = norm_of(devices, largest);
  if (error_if_nonfinite) {
    const auto value = norm.item<double>();
    check(std::isfinite(value), ErrorKind::Value,
          "clip_grad_norm_: expected gradients with a finite norm, got ", value);
  }
  for (const Tensors& gradients : devices) {
    Tensors in{norm.to(gradients.front().device())};
    for (const Tensor& gradient : gradients) in.push_back(gradient);
    dispatch(Model(ClipWithNorm{max_norm}), in);
  }
  return norm;
}

void clip_grad_value_(std::span<const Tensor> params, double value) {
  check(value >= 0, ErrorKind::Value, "clip_grad_value_: expected value >= 0, got ", value);
  const NoGradGuard no_grad;
  for (const Tensors& gradients : gradients_of(params)) {
    dispatch(Model(ForeachClamp{value}), gradients);
  }
}

}  // namespace reprise::nn
