// What rewrite.h says of graphs that passes ask before they change anything.

#include <algorithm>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/update.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

size_t index(ValueId id) { return static_cast<size_t>(id); }

}  // namespace

bool is_write(const Call& call, size_t k) {
  return call.into != kNoValue || k >= returned_outputs(call);
}

bool is_pure(const Call& call) {
  return call.into == kNoValue && !call.op->traits().effects &&
         returned_outputs(call) == call.out.size();
}

std::vector<int32_t> first_writes_after(const Graph& graph) {
  std::vector<int32_t> ends(graph.values.size(), kNever), next_write(graph.values.size(), kNever);
  for (size_t i = graph.code.size(); i-- > 0;) {
    const Call& call = graph.code[i];
    for (ValueId id : call.out) ends[index(id)] = next_write[index(graph.value(id).root)];
    for (size_t k = 0; k < call.out.size(); ++k) {
      if (!is_write(call, k)) continue;
      next_write[index(graph.value(call.out[k]).root)] = static_cast<int32_t>(i);
    }
  }
  for (ValueId id : graph.inputs) ends[index(id)] = next_write[index(id)];
  for (const Capture& capture : graph.captures) {
    ends[index(capture.value)] = next_write[index(graph.value(capture.value).root)];
  }
  return ends;
}

bool is_elementwise(const OpBase& op) { return op.traits().elementwise != ElementwiseIndex::none; }

bool is_optimizer_step(const OpBase& op) {
  return as<SgdStep>(op) != nullptr || as<AdamStep>(op) != nullptr;
}

std::vector<bool> written_memories(const Graph& graph) {
  std::vector<bool> written(graph.values.size(), false);
  for (const Call& call : graph.code) {
    for (size_t k = 0; k < call.out.size(); ++k) {
      if (is_write(call, k)) written[index(graph.value(call.out[k]).root)] = true;
    }
  }
  return written;
}

std::vector<bool> constant_values(const Graph& graph) {
  std::vector<bool> constant(graph.values.size(), false);
  std::vector<bool> kept_out = written_memories(graph);
  const auto can_be = [&](ValueId id) { return !kept_out[index(graph.value(id).root)]; };
  for (const Capture& capture : graph.captures)
    constant[index(capture.value)] = can_be(capture.value);
  for (ValueId id : graph.outputs) kept_out[index(graph.value(id).root)] = true;
  for (const Call& call : graph.code) {
    if (!is_pure(call) || !std::ranges::all_of(call.out, can_be)) continue;
    if (!std::ranges::all_of(call.in, [&](ValueId id) { return constant[index(id)]; })) continue;
    for (ValueId id : call.out) constant[index(id)] = true;
  }
  return constant;
}

Graph renumber(Graph graph) {
  std::vector<Value> values;
  std::vector<ValueId> number(graph.values.size(), kNoValue);
  const auto define = [&](ValueId& id) {
    number[index(id)] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[index(id)]));
    values.back().root = number[index(values.back().root)];
    id = number[index(id)];
  };
  const auto use = [&](ValueId& id) {
    if (id != kNoValue) id = number[index(id)];
  };
  for (ValueId& id : graph.inputs) define(id);
  for (Capture& capture : graph.captures) define(capture.value);
  for (Call& call : graph.code) {
    for (ValueId& id : call.in) use(id);
    use(call.into);
    for (ValueId& id : call.out) define(id);
  }
  for (ValueId& id : graph.outputs) use(id);
  for (Update& update : graph.updates) use(update.root), use(update.last);
  graph.values = std::move(values);
  return graph;
}

}  // namespace reprise::passes
