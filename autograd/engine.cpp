#include "engine.h"

#include "../core/autocast.h"
#include "../core/ops.h"
#include "../core/ops/beside.h"
#include "gradient.h"
#include "pass.h"
#include "tape.h"

namespace reprise {
namespace {

/// The weight of root `i`, checked.
Tensor root_gradient(std::string_view caller, const Tensor& root, const Tensors& given, size_t i) {
  check(root.requires_grad(), ErrorKind::Autograd, caller, ": tensor ", i, " of shape ",
        root.shape(), " does not require grad, so there is nothing to differentiate");
  check_view(caller, root.impl());
  if (i >= given.size() || !given[i].defined()) {
    check(root.numel() == 1, ErrorKind::Autograd, caller, ": tensor ", i, " of shape ",
          root.shape(), " has more than one element and needs a gradient of its shape");
    return ones_like(root);
  }
  Tensor g = detail::beside(root, given[i]);
  check(g.shape() == root.shape(), ErrorKind::Shape, caller, ": expected a gradient of shape ",
        root.shape(), ", got ", g.shape());
  check(g.dtype() == root.dtype(), ErrorKind::DType, caller, ": expected a gradient of ",
        root.dtype(), ", got ", g.dtype());
  check(g.device() == root.device(), ErrorKind::Device, caller, ": expected a gradient on ",
        root.device(), ", got one on ", g.device());
  return g;
}

Tensors root_gradients(std::string_view caller, const Tensors& roots, const Tensors& given) {
  check(given.empty() || given.size() == roots.size(), ErrorKind::Autograd, caller, ": expected ",
        roots.size(), " gradients, one per tensor, got ", given.size());
  Tensors gradients;
  for (size_t i = 0; i < roots.size(); ++i) {
    gradients.push_back(root_gradient(caller, roots[i], given, i));
  }
  return gradients;
}

}  // namespace

void backward(const Tensors& tensors, const Tensors& gradients, BackwardOptions options) {
  const GradModeGuard mode(options.create_graph);
  const detail::AutocastPause own_dtypes;
  BackwardPass pass("backward", options.retain_graph.value_or(options.create_graph), true);
  pass.run(tensors, root_gradients("backward", tensors, gradients));
  accumulate_gradients(pass.leaf_gradients);
}

Tensors grad(const Tensors& outputs, const Tensors& inputs, const GradOptions& options) {
  const GradModeGuard mode(options.create_graph);
  const detail::AutocastPause own_dtypes;
  const Tensors seeds = root_gradients("grad", outputs, options.grad_outputs);
  BackwardPass pass("grad", options.retain_graph.value_or(options.create_graph), false);
  for (size_t i = 0; i < inputs.size(); ++i) {
    check(inputs[i].requires_grad(), ErrorKind::Autograd, "grad: input ", i, " of shape ",
          inputs[i].shape(), " does not require grad");
    pass.add_target(inputs[i]);
  }
  pass.run(outputs, seeds);
  for (size_t i = 0; i < inputs.size() && !options.allow_unused; ++i) {
    check(pass.captured[i].defined(), ErrorKind::Autograd, "grad: input ", i, " of shape ",
          inputs[i].shape(),
          " was not used to make the outputs; set allow_unused to get an "
          "undefined gradient for it");
  }
  return std::move(pass.captured);
}

}  // namespace reprise
