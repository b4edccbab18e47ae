#include "pass.h"

#include "differentiate.h"
#include "gradient.h"

namespace reprise {
namespace {

void run_hooks(const Record& record, Tensors& gradients) {
  for (const GradHook& hook : record.hooks) {
    Tensor& g = gradients[hook.output];
    if (!g.defined()) continue;
    const Tensor result = hook.run(g);
    if (!result.defined()) continue;
    check(result.shape() == g.shape() && result.dtype() == g.dtype(), ErrorKind::Autograd,
          "hook: expected a gradient of ", g.dtype(), g.shape(), ", got ", result.dtype(),
          result.shape());
    g = result;
  }
}

bool any_defined(const Tensors& tensors) {
  for (const Tensor& t : tensors) {
    if (t.defined()) return true;
  }
  return false;
}

}  // namespace

/// Finds out, depth first, which nodes lead to a target and how many gradients each will get.
void BackwardPass::visit(Record* root) {
  enter(root);
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    if (frame.next == frame.node->in.size()) {
      finish(*frame.node);
      stack_.pop_back();
    } else if (Record* record = frame.node->in[frame.next++].record()) {
      enter(record);
    }
  }
}

void BackwardPass::enter(Record* record) {
  Task& task = tasks_[record];
  if (std::exchange(task.visited, true)) return;
  if (!record->is_leaf) {
    stack_.push_back({static_cast<Node*>(record)});
  } else if (into_leaves_ && record->requires_grad) {
    task.is_target = true;
  }
}

void BackwardPass::finish(Node& node) {
  bool runs = false;
  for (const Operand& o : node.in) {
    if (!o.history) continue;
    Task& source = tasks_[o.record()];
    source.waiting += source.needed();
    runs |= source.needed();
  }
  tasks_[&node].runs = runs;
  check(!runs || !node.released, ErrorKind::Autograd, caller_, ": the graph of ", node.name(),
        " was released by an earlier backward; set retain_graph there to use it again");
}

void BackwardPass::add_target(const Tensor& t) {
  Task& task = tasks_[record_of(t.impl())];
  task.is_target = true;
  task.targets.emplace_back(captured.size(), t.impl().output_index);
  captured.emplace_back();
}

void BackwardPass::run(const Tensors& roots, const Tensors& gradients) {
  for (const Tensor& root : roots) {
    roots_.push_back(root.impl().history);
    visit(record_of(root.impl()));
    ++tasks_[record_of(root.impl())].waiting;
  }
  for (size_t i = 0; i < roots.size(); ++i) {
    auto& record = static_cast<Record&>(*roots_[i]);
    if (tasks_[&record].needed()) deliver(record, roots[i].impl().output_index, gradients[i]);
  }
  while (!ready_.empty()) {
    Node* node = ready_.top();
    ready_.pop();
    settle(*node);
  }
}

void BackwardPass::deliver(Record& to, uint32_t output, Tensor gradient) {
  Task& task = tasks_[&to];
  if (gradient.defined()) {
    while (task.gradients.size() <= output) task.gradients.emplace_back();
    add_gradient(task.gradients[output], std::move(gradient));
  }
  if (--task.waiting > 0) return;
  if (to.is_leaf) {
    settle(to);
  } else {
    ready_.push(static_cast<Node*>(&to));
  }
}

/// All gradients of the outputs of `record` are known.
void BackwardPass::settle(Record& record) {
  Task& task = tasks_[&record];
  Tensors gradients = std::move(task.gradients);
  const size_t outputs = record.is_leaf ? 1 : static_cast<Node&>(record).out.size();
  while (gradients.size() < outputs) gradients.emplace_back();
  run_hooks(record, gradients);
  for (const auto& [i, output] : task.targets) captured[i] = gradients[output];
  if (!record.is_leaf) {
    if (task.runs) run_node(static_cast<Node&>(record), std::move(gradients));
  } else if (into_leaves_ && gradients[0].defined()) {
    leaf_gradients.emplace_back(static_cast<Leaf*>(&record), std::move(gradients[0]));
  }
}

void BackwardPass::run_node(Node& node, Tensors gy) {
  SmallVector<bool, 4> needs;
  for (const Operand& o : node.in) needs.push_back(o.history && tasks_[o.record()].needed());
  Tensors gradients = any_defined(gy) ? differentiate(node, gy, needs) : Tensors(node.in.size());
  gy.clear();  // a gradient that nobody else holds may be added to in place
  if (!retain_) node.free_saved();
  for (size_t i = 0; i < node.in.size(); ++i) {
    const Operand& source = node.in[i];
    if (needs[i]) deliver(*source.record(), source.output_index, std::move(gradients[i]));
  }
}

}  // namespace reprise
