// The autograd methods of Tensor.

#include "engine.h"
#include "record.h"
#include "tape.h"

namespace reprise {
namespace {

/// The leaf record of a leaf tensor, made when there is none.
Leaf& leaf_of(TensorImpl& t) {
  if (!t.history) {
    t.history = make_ref<Leaf>(t);
    record_of(t)->requires_grad = false;
  }
  return static_cast<Leaf&>(*record_of(t));
}

}  // namespace

bool Tensor::requires_grad() const { return tracked(impl()); }

bool Tensor::is_leaf() const {
  const Record* record = record_of(impl());
  return record == nullptr || record->is_leaf;
}

Tensor& Tensor::requires_grad_(bool on) {
  check(!on || is_floating_point(dtype()), ErrorKind::DType,
        "requires_grad_: expected a floating-point dtype, got ", dtype());
  check(on || is_leaf(), ErrorKind::Autograd,
        "requires_grad_: only a leaf can stop requiring grad; use detach for the result of ",
        is_leaf() ? "" : static_cast<Node&>(*record_of(impl())).name());
  if (is_leaf() && on != requires_grad()) leaf_of(impl()).requires_grad = on;
  return *this;
}

Tensor Tensor::grad() const {
  Record* record = record_of(impl());
  if (record == nullptr || !record->is_leaf) return {};
  auto* leaf = static_cast<Leaf*>(record);
  const std::lock_guard lock(leaf->mutex);  // another thread may train on it
  return leaf->grad;
}

void Tensor::set_grad(const Tensor& grad) const {
  check(is_leaf(), ErrorKind::Autograd, "set_grad: only a leaf keeps a gradient");
  if (!grad.defined()) {
    if (impl().history) leaf_of(impl()).grad = grad;
    return;
  }
  check(grad.shape() == shape(), ErrorKind::Shape, "set_grad: expected shape ", shape(), ", got ",
        grad.shape());
  check(grad.dtype() == dtype(), ErrorKind::DType, "set_grad: expected ", dtype(), ", got ",
        grad.dtype());
  check(grad.device() == device(), ErrorKind::Device, "set_grad: expected a tensor on ", device(),
        ", got one on ", grad.device());
  leaf_of(impl()).grad = grad;
}

void Tensor::backward(const Tensor& gradient, BackwardOptions options) const {
  reprise::backward({*this}, {gradient}, options);
}

Tensor Tensor::detach() const {
  if (is_symbolic())
    return composite(
        "detach", [](const Tensor& x) { return x.detach(); }, *this);
  const TensorImpl& t = impl();
  return Tensor(make_ref<TensorImpl>(t.meta, t.storage, t.offset));
}

void Tensor::register_hook(std::function<Tensor(const Tensor&)> hook) const {
  check(requires_grad(), ErrorKind::Autograd,
        "register_hook: the tensor does not require grad, so it never gets a gradient");
  record_of(impl())->hooks.push_back({impl().output_index, std::move(hook)});
}

}  // namespace reprise
