#include "function.h"

#include <algorithm>

#include "../core/ops.h"

namespace reprise {
namespace {

/// The place of `t` among `tensors`; their number when it is not there.
size_t find(std::span<const Tensor> tensors, const Tensor& t) {
  const auto same = [&](const Tensor& other) { return other.ref() == t.ref(); };
  return static_cast<size_t>(std::find_if(tensors.begin(), tensors.end(), same) - tensors.begin());
}

/// A tensor that the tape knows already, such as an input, gets a handle of its own.
void separate(Tensor& out, std::span<const Tensor> in) {
  if (out.impl().history || find(in, out) < in.size()) out = out.detach();
}

}  // namespace

Tensors Context::saved_tensors() const {
  check(!node_->released, ErrorKind::Autograd, node_->name(),
        ": the saved tensors were released by an earlier backward; set retain_graph there");
  Tensors out;
  for (const auto& [operand, is_output] : saved_) {
    check(!operand.changed(), ErrorKind::Autograd, node_->name(), ": the saved tensor of shape ",
          operand.meta.shape, " was changed in place: saved at version ", operand.version,
          ", now at version ", operand.storage->version());
    out.push_back(operand.unpack(is_output ? Ref<History>(node_) : operand.history));
  }
  return out;
}

void FunctionNode::free_saved() {
  Node::free_saved();
  released = true;
  context.saved_.clear();
}

void FunctionNode::visit_saved(const std::function<void(const Operand&)>& visit) const {
  for (const auto& [operand, is_output] : context.saved_) visit(operand);
}

Tensors FunctionNode::vjp(const Vjp& v) {
  context.needs_ = v.needs;
  Tensors gy(v.gy);
  for (size_t i = 0; i < gy.size(); ++i) {
    if (!gy[i].defined()) gy[i] = zeros(out[i].meta.shape, {out[i].meta.dtype, out[i].meta.device});
  }
  return backward(gy);
}

void FunctionNode::record(std::span<const Tensor> inputs, std::span<Tensor> outputs) {
  const Tensors saving = std::move(context.saving_);
  if (!records(inputs)) return;
  take_inputs(*this, inputs, 0);
  for (const Tensor& t : saving) {
    const size_t at = find(outputs, t);
    const bool is_output = at < outputs.size() && find(inputs, t) == inputs.size();
    Operand& kept = context.saved_.emplace_back(Operand(t.impl(), true), is_output).operand;
    if (is_output) {
      kept.output_index = static_cast<uint32_t>(at);
    } else {
      kept.history = t.impl().history;
    }
  }
  for (Tensor& t : outputs) separate(t, inputs);
  give_outputs(*this, outputs, 0);
}

}  // namespace reprise
