#include "gradient.h"

#include "../core/dispatch.h"
#include "../core/ops.h"

namespace reprise {
namespace {

/// Dense, without history, and nobody else holds it or its data.
bool is_ours(const Tensor& t) {
  const TensorImpl& impl = t.impl();
  return impl.use_count() == 1 && impl.storage->use_count() == 1 && !impl.is_view &&
         !impl.history && t.is_contiguous();
}

}  // namespace

void add_gradient(Tensor& sum, Tensor more) {
  if (!sum.defined()) {
    sum = std::move(more);
  } else if (!grad_enabled() && is_ours(sum)) {
    sum.add_(more);
  } else {
    sum = add(sum, more);
  }
}

void accumulate_gradient(Leaf& leaf, Tensor gradient) {
  const std::lock_guard lock(leaf.mutex);
  if (leaf.grad.defined()) {
    add_gradient(leaf.grad, std::move(gradient));
  } else {
    leaf.grad = is_ours(gradient) ? std::move(gradient) : clone(gradient);
  }
}

}  // namespace reprise
