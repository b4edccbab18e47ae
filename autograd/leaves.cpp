#include "leaves.h"

#include <unordered_set>

#include "record.h"

namespace reprise {

std::vector<Tensor> leaves_of(std::span<const Tensor> tensors) {
  std::unordered_set<const Record*> seen;
  std::vector<const Record*> open;
  const auto visit = [&](const Record* record) {
    if (record != nullptr && record->requires_grad && seen.insert(record).second) {
      open.push_back(record);
    }
  };
  for (const Tensor& t : tensors) visit(record_of(t.impl()));
  std::vector<Tensor> out;
  while (!open.empty()) {
    const Record* record = open.back();
    open.pop_back();
    if (record->is_leaf) {
      auto* owner = const_cast<TensorImpl*>(static_cast<const Leaf*>(record)->owner);
      out.emplace_back(Ref<TensorImpl>(owner));
    } else {
      for (const Operand& o : static_cast<const Node*>(record)->in) visit(o.record());
    }
  }
  return out;
}

bool has_gradient_hook(const Tensor& t) {
  const Record* record = record_of(t.impl());
  return record != nullptr && !record->hooks.empty();
}

}  // namespace reprise
