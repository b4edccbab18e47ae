#include "drawn_graph.h"

#include <algorithm>

#include "model.h"

namespace reprise::detail {
namespace {

class Flattening {
 public:
  DrawnGraph flatten(const ReplayPlan& plan, int depth) {
    std::vector<size_t> inputs;
    for (size_t i = 0; i < plan.input_count; ++i) {
      inputs.push_back(add_node(plan.values[i]));
      graph_.nodes.back().inputs.push_back(i);
    }
    const std::vector<size_t> outputs = add_plan(plan, inputs, depth);
    for (size_t i = 0; i < outputs.size(); ++i) graph_.nodes[outputs[i]].outputs.push_back(i);
    return std::move(graph_);
  }

 private:
  size_t add_node(const Value& value) {
    graph_.nodes.push_back({&value});
    graph_.nodes.back().nodes.push_back(value.node);
    return graph_.nodes.size() - 1;
  }

  /// The nodes of a plan's outputs, given those of its inputs.
  std::vector<size_t> add_plan(const ReplayPlan& plan, std::vector<size_t> node_of, int depth) {
    for (size_t i = 0; i < node_of.size(); ++i) note(node_of[i], plan.values[i]);
    node_of.resize(plan.values.size(), kNotDrawn);
    for (const Step& step : plan.steps) {
      const auto* model = dynamic_cast<const SymbolicModel*>(step.callable.get());
      if (model != nullptr && depth > 0) {
        add_model(plan, step, *model, node_of, depth - 1);
      } else {
        add_edge(plan, step, node_of);
      }
    }
    std::vector<size_t> outputs;
    for (size_t value : plan.outputs) outputs.push_back(node_of[value]);
    return outputs;
  }

  void note(size_t node, const Value& value) {
    if (node != kNotDrawn) graph_.nodes[node].nodes.push_back(value.node);
  }

  void add_edge(const ReplayPlan& plan, const Step& step, std::vector<size_t>& node_of) {
    DrawnEdge edge{&step, {}, {}, boxes_};
    for (size_t place = 0; place < step.outputs.size(); ++place) {
      const size_t value = step.outputs[place];
      if (value == SIZE_MAX) continue;
      if (edge.out.empty()) {
        for (size_t parent : plan.values[value].parents) add_once(edge.in, node_of[parent]);
      }
      node_of[value] = add_node(plan.values[value]);
      edge.out.emplace_back(place, node_of[value]);
    }
    graph_.edges.push_back(std::move(edge));
  }

  static void add_once(std::vector<size_t>& list, size_t node) {
    if (node != kNotDrawn && std::ranges::find(list, node) == list.end()) list.push_back(node);
  }

  /// Its results are the nodes inside that make them.
  void add_model(const ReplayPlan& plan, const Step& step, const SymbolicModel& model,
                 std::vector<size_t>& node_of, int depth) {
    std::vector<size_t> inputs;
    for (const Source& source : step.arguments) {
      inputs.push_back(source.value == Source::kConstant ? kNotDrawn : node_of[source.value]);
    }
    boxes_.push_back(step.name);
    const std::vector<size_t> outputs = add_plan(model.plan(), std::move(inputs), depth);
    boxes_.pop_back();
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      const size_t value = step.outputs[i];
      if (value == SIZE_MAX) continue;
      node_of[value] = outputs[i] == kNotDrawn ? add_node(plan.values[value]) : outputs[i];
      note(node_of[value], plan.values[value]);
    }
  }

  DrawnGraph graph_;
  std::vector<std::string_view> boxes_;
};

}  // namespace

DrawnGraph drawn_graph(const ReplayPlan& plan, int depth) {
  return Flattening().flatten(plan, depth);
}

}  // namespace reprise::detail
