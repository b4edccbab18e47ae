#include "replay_plan.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace reprise::detail {
namespace {

using Nodes = std::vector<SymbolicNode*>;

Nodes nodes_of(std::string_view what, const Tensors& tensors) {
  check(!tensors.empty(), ErrorKind::Graph, "SymbolicModel: expected at least one ", what,
        ", got none");
  Nodes out;
  for (const Tensor& x : tensors) out.push_back(&node_of(text("SymbolicModel ", what), x));
  return out;
}

std::string described(const SymbolicNode& node) {
  const SymbolicCall* call = node.made_by();
  if (call == nullptr && !node.custom_name().empty()) {
    return text("the Input ", node.custom_name(), " of ", node.type_text());
  }
  return call == nullptr ? text("the Input of ", node.type_text())
                         : text(display_name(call->callable.get()), " of ", node.type_text());
}

[[noreturn]] void fail_cycle(const SymbolicNode& node, const SymbolicNode& parent) {
  fail(ErrorKind::Graph, "SymbolicModel: the graph is not acyclic: ", described(node), " reads ",
       described(parent), ", which was made later");
}

/// All nodes that the outputs need and that are not inputs, in the order of their creation.
Nodes needed(const Nodes& inputs, const Nodes& outputs) {
  std::unordered_set<SymbolicNode*> seen(inputs.begin(), inputs.end());
  Nodes found, open;
  const auto visit = [&](SymbolicNode* node) {
    if (!seen.insert(node).second) return;
    found.push_back(node);
    open.push_back(node);
  };
  for (SymbolicNode* node : outputs) visit(node);
  while (!open.empty()) {
    SymbolicNode* node = open.back();
    open.pop_back();
    for (SymbolicNode* parent : node->parents()) {
      if (parent->sequence() > node->sequence()) fail_cycle(*node, *parent);
      visit(parent);
    }
  }
  std::sort(found.begin(), found.end(),
            [](auto* a, auto* b) { return a->sequence() < b->sequence(); });
  return found;
}

class Builder {
 public:
  Builder(const Nodes& inputs, const Nodes& outputs, CallNames& names) : name_of_(names) {
    for (const auto& [call, name] : names) used_.insert(name);

    const Nodes inner = needed(inputs, outputs);
    name_values(inputs, inner);
    for (SymbolicNode* node : inputs) add_value(node, input_name_.at(node));
    plan_.input_count = inputs.size();
    for (const SymbolicNode* node : inner) check_given(*node, inner);
    for (SymbolicNode* node : inner) add_node(node);
    for (SymbolicNode* node : outputs) plan_.outputs.push_back(value_of_.at(node));
    find_last_uses(plan_);
  }
  ReplayPlan take() { return std::move(plan_); }

 private:
  std::string unused_name(const std::string& type) {
    std::string name;
    do {
      name = text(type, "_", ++count_[type]);
    } while (!used_.insert(name).second);
    return name;
  }

  /// "Conv2d_3", or the custom name, which has a number only when several have it.
  void name_values(const Nodes& inputs, const Nodes& inner) {
    struct Named {
      std::string* name;
      std::string type, custom;
    };
    std::vector<Named> all;
    for (const SymbolicNode* node : inputs) {  // an inner node that is fed is an input here
      const std::string custom = node->made_by() == nullptr ? node->custom_name() : "";
      all.push_back({&input_name_[node], "Input", custom});
    }
    for (const SymbolicNode* node : inner) {
      const SymbolicCall* call = node->made_by();
      if (call == nullptr) continue;
      const auto [at, is_new] = name_of_.try_emplace(call);
      if (!is_new) continue;
      all.push_back({&at->second, display_name(call->callable.get()), call->custom_name()});
    }
    std::map<std::string, int> times;
    for (const Named& each : all) ++times[each.custom];
    for (auto& [custom, count] : times) {  // one that an earlier plan gave is repeated, too
      if (count == 1 && !custom.empty() && !used_.insert(custom).second) ++count;
    }
    for (const auto& [name, type, custom] : all) {
      const bool bare = !custom.empty() && times[custom] == 1;
      *name = bare ? custom : unused_name(custom.empty() ? type : custom);
    }
  }

  /// An Input among the inner nodes was not given: says which step would read it.
  void check_given(const SymbolicNode& node, const Nodes& inner) const {
    if (node.made_by() != nullptr) return;
    for (const SymbolicNode* reader : inner) {
      const auto parents = reader->parents();
      if (std::ranges::find(parents, &node) == parents.end()) continue;
      fail(ErrorKind::Graph, "SymbolicModel: ", described(node), ", read by ",
           name_of_.at(reader->made_by()), ", is not among the inputs");
    }
    fail(ErrorKind::Graph, "SymbolicModel: ", described(node),
         ", which is an output, is not among the inputs");
  }

  size_t add_value(SymbolicNode* node, std::string name) {
    const size_t index = plan_.values.size();
    plan_.values.push_back({std::move(name),
                            node->type_text(),
                            node->meta(),
                            node->boxed(),
                            nullptr,
                            {},
                            node->sequence()});
    value_of_.emplace(node, index);
    return index;
  }

  void add_node(SymbolicNode* node) {
    const SymbolicCall* call = node->made_by();
    const auto [at, is_new] = step_of_.try_emplace(call, plan_.steps.size());
    if (is_new) add_step(*call);
    Step& step = plan_.steps[at->second];
    const size_t value = add_value(node, step.name);
    step.outputs.resize(std::max(step.outputs.size(), node->output() + 1), SIZE_MAX);
    step.outputs[node->output()] = value;
    Value& row = plan_.values[value];
    row.module = dynamic_cast<nn::Module*>(step.callable.get());
    for (SymbolicNode* parent : node->parents()) row.parents.push_back(value_of_.at(parent));
  }

  void add_step(const SymbolicCall& call) {
    Step step{call.callable, name_of_.at(&call), {}, {}, {}};
    for (const Tensor& x : call.arguments) {
      if (x.is_symbolic()) {
        step.arguments.push_back({value_of_.at(&node_of("", x)), {}});
      } else {
        step.arguments.push_back({Source::kConstant, x});
      }
    }
    plan_.steps.push_back(std::move(step));
  }

  ReplayPlan plan_;
  std::map<std::string, int> count_;
  std::set<std::string> used_;
  std::unordered_map<const SymbolicNode*, std::string> input_name_;
  CallNames& name_of_;
  std::unordered_map<const SymbolicNode*, size_t> value_of_;
  std::unordered_map<const SymbolicCall*, size_t> step_of_;
};

}  // namespace

void find_last_uses(ReplayPlan& plan) {
  std::vector<bool> needed_later(plan.values.size(), false);
  for (size_t value : plan.outputs) needed_later[value] = true;
  for (size_t i = plan.steps.size(); i-- > 0;) {
    Step& step = plan.steps[i];
    const auto use = [&](size_t value) {
      if (value == SIZE_MAX || needed_later[value]) return;
      needed_later[value] = true;
      step.last_use_of.push_back(value);
    };
    for (const Source& source : step.arguments) use(source.value);
    for (size_t value : step.outputs) use(value);
  }
}

ReplayPlan make_replay_plan(const Tensors& inputs, const Tensors& outputs, CallNames* names) {
  const Nodes from = nodes_of("input", inputs), to = nodes_of("output", outputs);
  for (size_t i = 0; i < from.size(); ++i) {
    check(std::find(from.begin(), from.begin() + static_cast<ptrdiff_t>(i), from[i]) ==
              from.begin() + static_cast<ptrdiff_t>(i),
          ErrorKind::Graph, "SymbolicModel: input ", i, " is given twice");
  }
  CallNames fresh;
  return Builder(from, to, names == nullptr ? fresh : *names).take();
}

}  // namespace reprise::detail
