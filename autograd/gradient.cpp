#include "gradient.h"

#include <algorithm>

#include "../core/dispatch.h"
#include "../core/ops.h"
#include "../core/ops/memory_format.h"

namespace reprise {
namespace {

/// Dense, without history and not a view: may be written while gradients are not recorded.
bool is_plain(const Tensor& t) {
  return !t.impl().is_view && !t.impl().history && t.is_contiguous(t.meta().memory_format());
}

/// Plain, and nobody else holds it or its data.
bool is_ours(const Tensor& t) {
  return t.impl().use_count() == 1 && t.impl().storage->use_count() == 1 && is_plain(t);
}

/// Whether it lies as the sum of both does, so that a write into it shows in no format.
bool lies_as_sum(const Tensor& t, const Tensor& more) {
  return t.meta().memory_format() == detail::common_format(t, more);
}

/// Whether a gradient still to be added lies in the memory of `grad`.
bool is_read(const Tensor& grad, std::span<const LeafGradient> gradients) {
  const auto reads = [&](const LeafGradient& g) {
    return g.second.impl().storage == grad.impl().storage;
  };
  return !is_ours(grad) && std::any_of(gradients.begin(), gradients.end(), reads);
}

/// A new .grad of a leaf of that format, in memory of its own.
Tensor first_gradient(Tensor gradient, MemoryFormat format) {
  if (!gradient.is_contiguous(format)) return gradient.contiguous(format);
  return is_ours(gradient) ? std::move(gradient) : clone(gradient);
}

}  // namespace

void add_gradient(Tensor& sum, Tensor more) {
  if (!sum.defined()) {
    sum = std::move(more);
  } else if (!grad_enabled() && is_ours(sum) && lies_as_sum(sum, more)) {
    sum.add_(more);
  } else {
    sum = add(sum, more);
  }
}

void accumulate_gradients(std::span<LeafGradient> gradients) {
  for (; !gradients.empty(); gradients = gradients.subspan(1)) {
    auto& [leaf, gradient] = gradients.front();
    const std::lock_guard lock(leaf->mutex);
    Tensor& grad = leaf->grad;
    if (!grad.defined()) {
      const bool lives = leaf->owner != nullptr;
      grad = first_gradient(std::move(gradient),
                            lives ? leaf->owner->meta.memory_format() : contiguous_format);
    } else if (!grad_enabled() && is_plain(grad) && !is_read(grad, gradients.subspan(1))) {
      grad.add_(gradient);
    } else {
      grad = add(grad, gradient).contiguous(grad.meta().memory_format());
    }
  }
}

}  // namespace reprise
