#include "tape.h"

#include "record.h"

namespace reprise {
namespace {

constinit thread_local bool enabled = true;

/// full is called fill_ where it writes into a tensor.
std::string_view in_place_name(const OpBase& op) {
  return op.name() == "full" ? "fill" : op.name();
}

/// There is no machinery that writes through a view into the history of its base.
void check_in_place(const OpBase& op, const TensorImpl& into, bool inputs_tracked) {
  const Record* record = record_of(into);
  if (!inputs_tracked && !tracked(into)) return;
  check(record == nullptr || !record->is_leaf || !record->requires_grad, ErrorKind::Autograd,
        in_place_name(op), "_: a leaf that requires grad cannot be changed in place; use ",
        in_place_name(op), ", or NoGradGuard");
  check(!into.is_view, ErrorKind::Autograd, in_place_name(op),
        "_: a view cannot be changed in place while gradients are recorded; use ",
        in_place_name(op), ", or NoGradGuard");
}

void check_written(const OpBase& op, std::span<const Tensor> in) {
  const OpTraits& traits = op.traits();
  for (size_t i = 0; i < in.size() && traits.writes != 0; ++i) {
    check(!traits.writes_input(i) || !tracked(in[i].impl()), ErrorKind::Autograd, op.name(),
          ": input ", i, " requires grad and cannot be changed in place; use NoGradGuard");
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
  const bool recorded = records(in);
  if (into != nullptr) check_in_place(op, into->impl(), recorded);
  check_written(op, in);
  const bool overwrites = into != nullptr && tracked(into->impl());
  const bool differentiable = recorded && op.traits().differentiable;
  if (!differentiable && !overwrites) return {};
  auto node = make_ref<Node>(op.keep());
  node->requires_grad = differentiable;
  node->in_place = into != nullptr;
  if (differentiable) take_inputs(*node, in, op.traits().save_in);
  return node;
}

void end_record(History& record, std::span<const Tensor> out) {
  auto& node = static_cast<Node&>(record);
  if (node.in_place) out.front().impl().storage->count_recorded_write();
  if (!node.requires_grad) return forget(out.front().impl());  // overwritten by constants
  give_outputs(node, out, node.op->traits().save_out);
}

}  // namespace reprise
