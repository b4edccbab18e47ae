#include "record.h"

#include <algorithm>

#include "../core/dispatch.h"

namespace reprise {
namespace {

constinit thread_local Record* dead = nullptr;
constinit thread_local bool destroying = false;
constinit thread_local uint64_t next_sequence = 0;

}  // namespace

void History::destroy(History* history) noexcept {
  auto* record = static_cast<Record*>(history);
  record->next_dead = std::exchange(dead, record);
  if (destroying) return;  // the loop below will come to it
  destroying = true;
  while (dead != nullptr) {
    Record* next = std::exchange(dead, dead->next_dead);
    delete next;
  }
  destroying = false;
}

void Leaf::tensor_died(const TensorImpl& tensor) noexcept {
  Tensor last;  // dies after the lock, and may take this leaf along
  const std::lock_guard lock(mutex);
  if (&tensor != owner) return;  // an alias that a node saved
  owner = nullptr;
  requires_grad = false;
  last = std::move(grad);
}

Operand::Operand(const TensorImpl& t, bool save)
    : meta(t.meta), offset(t.offset), output_index(t.output_index) {
  if (!save) return;
  storage = t.storage;
  version = storage->version();
}

Tensor Operand::unpack(const Ref<History>& source) const {
  if (!saved() || changed()) return meta_tensor(meta);
  Tensor out(make_ref<TensorImpl>(meta, storage, offset));
  if (source && grad_enabled()) {
    out.impl().history = source;
    out.impl().output_index = output_index;
  }
  return out;
}

Node::Node(OpRef call)
    : Record(false),
      op(std::move(call)),
      scope(detail::Scope::current()),
      sequence(next_sequence++) {}

void Node::free_saved() {
  const auto release = [this](Operand& operand) {
    released |= operand.saved();  // a node that saved nothing can run again
    operand.storage.reset();
  };
  for (Operand& operand : in) release(operand);
  for (Operand& operand : out) release(operand);
}

void Node::visit_saved(const std::function<void(const Operand&)>& visit) const {
  for (const Operand& operand : in) {
    if (operand.saved()) visit(operand);
  }
  for (const Operand& operand : out) {
    if (operand.saved()) visit(operand);
  }
}

bool records(std::span<const Tensor> in) {
  const auto is_tracked = [](const Tensor& t) { return tracked(t.impl()); };
  return grad_enabled() && std::any_of(in.begin(), in.end(), is_tracked) &&
         std::all_of(in.begin(), in.end(), [](const Tensor& t) { return t.has_data(); });
}

void check_view(std::string_view caller, const TensorImpl& t) {
  if (!t.is_view || !tracked(t) || record_of(t)->is_leaf) return;
  const auto& node = static_cast<const Node&>(*record_of(t));
  check(node.recorded_writes == t.storage->recorded_writes(), ErrorKind::Autograd, caller,
        ": the tensor of shape ", t.meta.shape,
        " is a view of one that was changed in place since; make the view again");
}

void take_inputs(Node& node, std::span<const Tensor> in, unsigned save) {
  node.in.reserve(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    const TensorImpl& t = in[i].impl();
    check_view(node.name(), t);
    node.in.emplace_back(t, has_bit(save, i)).history = t.history;
  }
}

void give_outputs(Node& node, std::span<const Tensor> out, unsigned save) {
  for (size_t i = 0; i < out.size(); ++i) {
    TensorImpl& t = out[i].impl();
    t.output_index = static_cast<uint32_t>(i);
    node.out.emplace_back(t, has_bit(save, i));
    if (is_floating_point(t.meta.dtype)) t.history = Ref<History>(&node);
    if (t.is_view) node.recorded_writes = t.storage->recorded_writes();
  }
}

}  // namespace reprise
