#include "tape.h"

#include <algorithm>

#include "record.h"

namespace reprise {
namespace {

constinit thread_local bool enabled = true;

bool is_tracked(const Tensor& t) { return tracked(t.impl()); }
bool has_data(const Tensor& t) { return static_cast<bool>(t.impl().storage); }
bool bit(unsigned mask, size_t i) { return i < 32 && (mask >> i & 1u) != 0; }

/// There is no machinery that writes through a view into the history of its base.
void check_in_place(const OpBase& op, const TensorImpl& into, bool inputs_tracked) {
  const Record* record = record_of(into);
  if (!inputs_tracked && !tracked(into)) return;
  check(record == nullptr || !record->is_leaf || !record->requires_grad, ErrorKind::Autograd,
        op.name(), "_: a leaf that requires grad cannot be changed in place; use ", op.name(),
        ", or NoGradGuard");
  check(!into.is_view, ErrorKind::Autograd, op.name(),
        "_: a view cannot be changed in place while gradients are recorded; use ", op.name(),
        ", or NoGradGuard");
}

/// A view made before a recorded write to its base has values that its history does not know.
void check_view(const OpBase& op, const TensorImpl& view) {
  const Record* record = record_of(view);
  if (record->is_leaf) return;
  const auto& node = static_cast<const Node&>(*record);
  check(node.recorded_writes == view.storage->recorded_writes(), ErrorKind::Autograd, op.name(),
        ": the input of shape ", view.meta.shape,
        " is a view of a tensor that was changed in place after the view was made; make the view "
        "again");
}

void check_inputs(const OpBase& op, std::span<const Tensor> in) {
  const unsigned writes = op.traits().writes;
  for (size_t i = 0; i < in.size(); ++i) {
    const TensorImpl& t = in[i].impl();
    if (!tracked(t)) continue;
    check(!bit(writes, i), ErrorKind::Autograd, op.name(), ": input ", i,
          " requires grad and cannot be changed in place; use NoGradGuard");
    if (t.is_view) check_view(op, t);
  }
}

void forget(TensorImpl& t) {
  t.history.reset();
  t.output_index = 0;
}

}  // namespace

bool grad_enabled() { return enabled; }

GradModeGuard::GradModeGuard(bool on) : before_(std::exchange(enabled, on)) {}
GradModeGuard::~GradModeGuard() { enabled = before_; }

Ref<History> begin_record(const OpBase& op, std::span<const Tensor> in, const Tensor* into) {
  if (!enabled) return {};
  const bool any_tracked = std::any_of(in.begin(), in.end(), is_tracked);
  if (into != nullptr) check_in_place(op, into->impl(), any_tracked);
  const bool overwrites = into != nullptr && is_tracked(*into);
  if (!any_tracked && !overwrites) return {};
  check_inputs(op, in);
  const bool differentiable = any_tracked && op.traits().differentiable;
  if (!differentiable && !overwrites) return {};
  if (!std::all_of(in.begin(), in.end(), has_data)) return {};
  auto node = make_ref<Node>(op.keep());
  node->requires_grad = differentiable;
  node->in_place = into != nullptr;
  node->in.reserve(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const TensorImpl& t = in[i].impl();
    node->in.emplace_back(t, bit(op.traits().save_in, i)).history = t.history;
  }
  return node;
}

void end_record(History& record, std::span<const Tensor> out) {
  auto& node = static_cast<Node&>(record);
  if (node.in_place) out.front().impl().storage->count_recorded_write();
  if (!node.requires_grad) return forget(out.front().impl());  // overwritten by constants
  attach(node, out, node.op->traits().save_out);
}

}  // namespace reprise
