#include "summary_tree.h"

#include <algorithm>
#include <unordered_set>

#include "../autograd/record.h"
#include "../autograd/tape.h"
#include "../core/ops.h"
#include "../layers/sequential.h"
#include "model.h"
#include "trace.h"

namespace reprise::detail {
namespace {

std::shared_ptr<const ReplayPlan> plan_of(const SymbolicModel& model) {
  const auto handle = std::make_shared<SymbolicModel>(model);
  return {handle, &handle->plan()};
}

/// A Sequential is called layer by layer on a symbol, as if it had been written so.
std::shared_ptr<const ReplayPlan> plan_of(const nn::Sequential& layers, const Meta& meta) {
  const Tensor x =
      make_ref<SymbolicNode>(SymbolicNode::Type{meta, {}}, Ref<SymbolicCall>(), 0)->tensor();
  const Tensor y = layers.forward(x);
  return std::make_shared<ReplayPlan>(make_replay_plan({x}, {y}));
}

std::shared_ptr<const ReplayPlan> nested_plan(const ReplayPlan& plan, const Step& step) {
  if (const auto* model = dynamic_cast<const SymbolicModel*>(step.callable.get())) {
    return plan_of(*model);
  }
  const auto* layers = dynamic_cast<const nn::Sequential*>(step.callable.get());
  if (layers == nullptr) return nullptr;
  return plan_of(*layers, plan.values[step.arguments.front().value].meta);
}

/// Finds the memory that the tape keeps.
class Kept {
 public:
  /// Bytes kept by the calls behind `x`, without those that were found before.
  int64_t find(const Tensor& x) {
    if (!x.defined()) return 0;
    alive_.push_back(x);
    int64_t bytes = 0;
    std::vector<Record*> open{record_of(x.impl())};
    while (!open.empty()) {
      Record* record = open.back();
      open.pop_back();
      if (record == nullptr || record->is_leaf || !records_.insert(record).second) continue;
      const auto& node = static_cast<const Node&>(*record);
      node.visit_saved([&](const Operand& saved) { bytes += count(*saved.storage); });
      for (const Operand& operand : node.in) open.push_back(operand.record());
    }
    return bytes;
  }

 private:
  /// What has bytes during a trace was there before.
  int64_t count(const Storage& storage) {
    const bool is_new = storage.data() == nullptr && storages_.insert(&storage).second;
    return is_new ? static_cast<int64_t>(storage.nbytes()) : 0;
  }

  std::vector<Tensor> alive_;  // so that no address is used twice
  std::unordered_set<const Record*> records_;
  std::unordered_set<const Storage*> storages_;
};

class Measure {
 public:
  explicit Measure(int64_t batch_size) : batch_size_(batch_size) {}

  /// Runs the steps, with undefined tensors for values that are not known.
  Tensors run(SummaryTree& tree, const Tensors& in) {
    const ReplayPlan& plan = *tree.plan;
    std::vector<Tensor> values(plan.values.size());
    std::ranges::copy(in, values.begin());
    tree.kept.assign(values.size(), {});
    for (size_t i = 0; i < plan.steps.size(); ++i) {
      const Step& step = plan.steps[i];
      KeptBytes kept;
      const Tensors out = run_step(tree, i, values, kept);
      check_outputs(step, out);
      for (size_t k = 0; k < step.outputs.size(); ++k) {
        if (step.outputs[k] == SIZE_MAX) continue;
        values[step.outputs[k]] = out[k];
        kept.bytes += kept_.find(out[k]);
      }
      tree.kept[first_output(step)] = kept;
    }
    Tensors out;
    for (size_t value : plan.outputs) out.push_back(values[value]);
    return out;
  }

 private:
  Tensors run_step(SummaryTree& tree, size_t i, std::span<const Tensor> values, KeptBytes& kept) {
    const Step& step = tree.plan->steps[i];
    Tensors in;
    bool known = true;
    for (const Source& source : step.arguments) {
      const bool constant = source.value == Source::kConstant;
      in.push_back(constant ? source.constant : values[source.value]);
      known = known && (constant || in.back().defined());
    }
    try {
      if (SummaryTree& nested = tree.nested[i]; nested.plan) return run_nested(nested, in, kept);
      if (known) return step.callable->call(in);
    } catch (Error& error) {
      // A Graph error is that of code that reads a value.
      if (error.kind() != ErrorKind::Graph) {
        error.prepend(step.name);
        throw;
      }
    }
    kept.exact = false;
    return stand_ins(*tree.plan, step, in);
  }

  Tensors run_nested(SummaryTree& nested, const Tensors& in, KeptBytes& kept) {
    Tensors out = run(nested, in);
    for (const KeptBytes& bytes : nested.kept) kept += bytes;
    return out;
  }

  /// For what a step returns that cannot be run here.
  Tensors stand_ins(const ReplayPlan& plan, const Step& step, const Tensors& in) const {
    const bool tracks =
        std::ranges::any_of(in, [](const Tensor& x) { return x.defined() && x.requires_grad(); });
    Tensors out(step.outputs.size());
    for (size_t k = 0; k < out.size(); ++k) {
      if (step.outputs[k] == SIZE_MAX) continue;
      const Value& value = plan.values[step.outputs[k]];
      if (value.boxed != nullptr) continue;
      out[k] = zeros(with_batch(value.meta, batch_size_).shape, {.dtype = value.meta.dtype});
      if (tracks && is_floating_point(value.meta.dtype)) out[k].requires_grad_();
    }
    return out;
  }

  int64_t batch_size_;
  Kept kept_;
};

}  // namespace

SummaryTree make_summary_tree(std::shared_ptr<const ReplayPlan> plan, bool expand) {
  SummaryTree tree{plan, std::vector<SummaryTree>(plan->steps.size()),
                   std::vector<KeptBytes>(plan->values.size())};
  for (size_t i = 0; expand && i < plan->steps.size(); ++i) {
    if (auto nested = nested_plan(*plan, plan->steps[i])) {
      tree.nested[i] = make_summary_tree(std::move(nested), expand);
    }
  }
  return tree;
}

void measure_kept(SummaryTree& tree, int64_t batch_size) {
  const ReplayPlan& plan = *tree.plan;
  std::vector<Example> examples;
  for (size_t i = 0; i < plan.input_count; ++i) {
    if (plan.values[i].boxed == nullptr) {
      examples.emplace_back(with_batch(plan.values[i].meta, batch_size));
    }
  }
  const EnableGradGuard guard;
  const auto run = [&](const Tensors& traced) {
    Tensors in;
    size_t next = 0;
    for (size_t i = 0; i < plan.input_count; ++i) {
      in.push_back(plan.values[i].boxed == nullptr ? traced[next++] : Tensor());
    }
    Measure(batch_size).run(tree, in);
    return Tensors();
  };
  trace(run, examples, {});
}

size_t first_output(const Step& step) { return *std::ranges::min_element(step.outputs); }

Meta with_batch(const Meta& meta, int64_t batch_size) {
  Shape shape = meta.shape;
  std::ranges::replace(shape, kUnknown, batch_size);
  return Meta(shape, meta.dtype);
}

}  // namespace reprise::detail
