#include "record.h"

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
  if (&tensor != owner) return;  // an alias that a node saved
  requires_grad = false;
  grad = Tensor();
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

Node::Node(OpRef call) : Record(false), op(std::move(call)), sequence(next_sequence++) {}

void Node::free_saved() {
  released = true;
  for (Operand& operand : in) operand.storage.reset();
  for (Operand& operand : out) operand.storage.reset();
}

void attach(Node& node, std::span<const Tensor> out, unsigned save) {
  for (size_t i = 0; i < out.size(); ++i) {
    TensorImpl& t = out[i].impl();
    t.output_index = static_cast<uint32_t>(i);
    node.out.emplace_back(t, i < 32 && (save >> i & 1u) != 0);
    if (is_floating_point(t.meta.dtype)) t.history = Ref<History>(&node);
    if (t.is_view) node.recorded_writes = t.storage->recorded_writes();
  }
}

}  // namespace reprise
