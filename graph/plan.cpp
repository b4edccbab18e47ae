#include "plan.h"

#include <algorithm>

#include "plan_layout.h"

namespace reprise {
namespace {

int64_t bytes_of(const Meta& meta) { return static_cast<int64_t>(meta.nbytes()); }

int64_t workspace_bytes(const Graph& graph, const Call& call) {
  if (call.op->traits().alias || call.out.empty()) return 0;
  Metas metas;
  for (ValueId id : call.in) metas.push_back(graph.meta(id));
  return static_cast<int64_t>(call.op->workspace(metas, device_of(graph, call)));
}

/// Whether the caller's tensor can be the memory of this output.
bool fills_memory(const Graph& graph, ValueId id) {
  const Meta& meta = graph.meta(id);
  return meta.is_contiguous(meta.memory_format()) && covers_memory(graph, id);
}

/// Whether the kernel of `call` may write its first output over input `j`, were that to die.
bool may_overwrite(const Graph& graph, const Call& call, size_t j) {
  const OpTraits& traits = call.op->traits();
  const auto allowed = [&](size_t k) { return k < 32 && (traits.overwrites >> k & 1U) != 0; };
  if (traits.overwrites == 0 || call.out.empty()) return false;
  const ValueId target = call.out.front();
  const Value& source = graph.value(call.in[j]);
  if (graph.value(target).root != target) return false;
  if (!fills_memory(graph, call.in[j])) return false;
  if (!graph.meta(target).is_contiguous(source.meta.memory_format())) return false;
  if (bytes_of(source.meta) != bytes_of(graph.meta(target))) return false;
  for (size_t k = 0; k < call.in.size(); ++k) {
    const Value& other = graph.value(call.in[k]);
    if (other.root != source.root) continue;
    const bool same_view = other.meta == source.meta && other.offset == source.offset;
    if (!same_view || !allowed(k) || traits.writes_input(k)) return false;
  }
  return true;
}

class Planner {
 public:
  explicit Planner(const Graph& graph)
      : graph_(graph), end_(static_cast<int32_t>(graph.code.size())) {
    plan_.memory.resize(graph.values.size());
    plan_.workspace.resize(graph.code.size(), -1);
  }

  Plan run(const PlanOptions& options) {
    place_external();
    for (int32_t i = 0; i < end_; ++i) place_outputs_of(i);
    for (size_t k = 0; k < graph_.outputs.size(); ++k) place_output(static_cast<int32_t>(k));
    for (int32_t i = end_; i-- > 0;) give_slots(i);
    plan_.gap = options.gap;
    return std::move(plan_);
  }

 private:
  const Call& call(int32_t i) const { return graph_.code[static_cast<size_t>(i)]; }
  Placement& memory_of(ValueId id) {
    return plan_.memory[static_cast<size_t>(graph_.value(id).root)];
  }

  void place(ValueId root, Home home, size_t index) {
    plan_.memory[static_cast<size_t>(root)] = {home, static_cast<int32_t>(index), 0, end_ + 1,
                                               bytes_of(graph_.meta(root))};
  }

  void place_external() {
    for (size_t k = 0; k < graph_.inputs.size(); ++k) place(graph_.inputs[k], Home::input, k);
    for (size_t k = 0; k < graph_.captures.size(); ++k) {
      const ValueId id = graph_.captures[k].value;
      if (graph_.value(id).root == id) place(id, Home::capture, k);
    }
  }

  void use(ValueId id, int32_t time) {
    Placement& memory = memory_of(id);
    memory.last = std::max(memory.last, time);
    if (memory.first < graph_.prologue && time >= graph_.prologue) memory.last = end_ + 1;
  }

  /// Alias calls run no kernel: what they return uses the memory when it is read.
  void place_outputs_of(int32_t i) {
    if (call(i).op->traits().alias) return;
    for (ValueId id : call(i).in) use(id, i);
    if (call(i).into != kNoValue) use(call(i).into, i);
    for (ValueId id : call(i).out) {
      if (graph_.value(id).root != id) continue;
      memory_of(id) = {Home::arena, -1, i, i, bytes_of(graph_.meta(id))};
    }
  }

  void place_output(int32_t k) {
    const ValueId id = graph_.outputs[static_cast<size_t>(k)];
    Placement& memory = memory_of(id);
    if (memory.home == Home::arena && fills_memory(graph_, id) && memory.first >= graph_.prologue) {
      memory.home = Home::output;
      memory.index = k;
      memory.last = end_ + 1;
    } else {
      plan_.copied.push_back(k);
      use(id, end_);
    }
  }

  /// From the last call to the first, so that an input learns where the output that takes it over
  /// has come to lie, at the end of a chain perhaps in a tensor of the caller.
  void give_slots(int32_t i) {
    for (ValueId id : call(i).out) {
      Placement& memory = plan_.memory[static_cast<size_t>(id)];
      if (memory.home == Home::arena) give_slot(memory, graph_.meta(id).device);
    }
    take_over_input(i);
    const int64_t scratch = workspace_bytes(graph_, call(i));
    if (scratch == 0) return;
    plan_.workspace[static_cast<size_t>(i)] = static_cast<int32_t>(plan_.slots.size());
    plan_.slots.push_back({scratch, 0, i, i, device_of(graph_, call(i))});
  }

  void give_slot(Placement& memory, Device device) {
    if (memory.index < 0) {
      memory.index = static_cast<int32_t>(plan_.slots.size());
      plan_.slots.push_back({memory.bytes, 0, memory.first, memory.last, device});
    }
    int32_t& first = plan_.slots[static_cast<size_t>(memory.index)].first;
    first = std::min(first, memory.first);
  }

  void take_over_input(int32_t i) {
    for (size_t j = 0; j < call(i).in.size(); ++j) {
      Placement& dying = memory_of(call(i).in[j]);
      if (dying.last != i || dying.index >= 0) continue;
      if (!may_overwrite(graph_, call(i), j)) continue;
      const Placement& heir = memory_of(call(i).out.front());
      dying.home = heir.home;
      dying.index = heir.index;
      return;
    }
  }

  const Graph& graph_;
  const int32_t end_;
  Plan plan_;
};

/// OutOfMemory error when the sum is beyond any machine, so that no other sum can overflow.
int64_t bytes_without_reuse(const Plan& plan, const Graph& graph) {
  int64_t sum = 0;
  const auto add = [&](int64_t bytes, Device device) {
    check(bytes < INT64_MAX / 4 && sum < INT64_MAX / 4, ErrorKind::OutOfMemory,
          "plan: the values of the graph take more bytes than can be counted");
    sum += detail::footprint(bytes, plan.gap, device);
  };
  for (size_t id = 0; id < plan.memory.size(); ++id) {
    const Placement& memory = plan.memory[id];
    const bool taken_over = memory.home == Home::output && memory.last <= plan.calls();
    if (memory.home == Home::arena || taken_over) {
      add(memory.bytes, graph.values[id].meta.device);
    }
  }
  for (int32_t slot : plan.workspace) {
    if (slot >= 0) add(plan.slot(slot).bytes, plan.slot(slot).device);
  }
  return sum;
}

/// The devices of the values, in order, as parts without bytes.
std::vector<ArenaPart> parts_of(const Graph& graph) {
  std::vector<ArenaPart> parts;
  for (const Value& value : graph.values) {
    const Device device = value.meta.device;
    if (std::ranges::find(parts, device, &ArenaPart::device) == parts.end()) {
      parts.push_back({device});
    }
  }
  return parts;
}

int64_t largest_sets_in_use(const Plan& plan) {
  int64_t sum = 0;
  for (const ArenaPart& part : plan.parts) {
    const auto in_use = detail::bytes_in_use(plan.slots, plan.gap, plan.calls() + 2, part.device);
    sum += *std::max_element(in_use.begin(), in_use.end());
  }
  return sum;
}

bool same_wiring(const Call& a, const Call& b) {
  return a.op->name() == b.op->name() && std::ranges::equal(a.in, b.in) &&
         std::ranges::equal(a.out, b.out) && a.into == b.into;
}

bool same_structure(const Graph& a, const Graph& b) {
  const auto same_root = [](const Value& x, const Value& y) { return x.root == y.root; };
  const auto same_value = [](const Capture& x, const Capture& y) { return x.value == y.value; };
  return a.prologue == b.prologue && a.inputs == b.inputs && a.outputs == b.outputs &&
         std::ranges::equal(a.code, b.code, same_wiring) &&
         std::ranges::equal(a.values, b.values, same_root) &&
         std::ranges::equal(a.captures, b.captures, same_value);
}

/// Whether what `plan` does in place can be done so in `graph`, of the structure it was made for.
bool overwrites_stay_legal(const Plan& plan, const Graph& graph) {
  for (const Call& call : graph.code) {
    if (call.out.empty() || graph.value(call.out.front()).root != call.out.front()) continue;
    const Placement& heir = plan.of(call.out.front());
    for (size_t j = 0; j < call.in.size(); ++j) {
      const Placement& source = plan.of(graph.value(call.in[j]).root);
      const bool shared = source.home == heir.home && source.index == heir.index;
      if (shared && !may_overwrite(graph, call, j)) return false;
    }
  }
  return true;
}

bool outputs_stay_legal(const Plan& plan, const Graph& graph) {
  for (size_t k = 0; k < graph.outputs.size(); ++k) {
    const bool direct = !std::ranges::binary_search(plan.copied, static_cast<int32_t>(k));
    if (direct && !fills_memory(graph, graph.outputs[k])) return false;
  }
  return true;
}

/// Gives every slot the bytes that `graph` needs there; false when they do not fit.
bool shrink_slots(Plan& plan, const Graph& graph) {
  std::vector<int64_t> needed(plan.slots.size(), 0);
  for (size_t id = 0; id < plan.memory.size(); ++id) {
    Placement& memory = plan.memory[id];
    memory.bytes = memory.home == Home::none ? 0 : bytes_of(graph.values[id].meta);
    if (memory.home != Home::arena) continue;
    if (plan.slot(memory.index).device != graph.values[id].meta.device) return false;
    int64_t& bytes = needed[static_cast<size_t>(memory.index)];
    bytes = std::max(bytes, memory.bytes);
  }
  for (size_t i = 0; i < graph.code.size(); ++i) {
    const int64_t bytes = workspace_bytes(graph, graph.code[i]);
    if (plan.workspace[i] >= 0) needed[static_cast<size_t>(plan.workspace[i])] = bytes;
    if (plan.workspace[i] < 0 && bytes > 0) return false;
  }
  for (size_t s = 0; s < needed.size(); ++s) {
    if (needed[s] > plan.slots[s].bytes) return false;
    plan.slots[s].bytes = needed[s];
  }
  return true;
}

}  // namespace

Plan make_plan(const Graph& graph, const PlanOptions& options) {
  Plan plan = Planner(graph).run(options);
  plan.naive_bytes = bytes_without_reuse(plan, graph);
  plan.parts = parts_of(graph);
  plan.lower_bound = largest_sets_in_use(plan);
  for (ArenaPart& part : plan.parts) {
    part.begin = plan.arena_bytes;
    part.bytes = detail::lay_out(plan.slots, plan.gap, part.device, part.begin);
    plan.arena_bytes += part.bytes;
  }
  return plan;
}

std::optional<Plan> reuse_plan(const Plan& larger, const Graph& larger_graph,
                               const Graph& smaller) {
  if (!same_structure(larger_graph, smaller)) return {};
  if (!overwrites_stay_legal(larger, smaller) || !outputs_stay_legal(larger, smaller)) return {};
  Plan plan = larger;
  if (!shrink_slots(plan, smaller)) return {};
  plan.naive_bytes = bytes_without_reuse(plan, smaller);
  plan.lower_bound = largest_sets_in_use(plan);
  return plan;
}

std::vector<std::vector<int32_t>> freed_slots(const Plan& plan) {
  std::vector<std::vector<int32_t>> freed(plan.workspace.size() + 1);
  for (size_t s = 0; s < plan.slots.size(); ++s) {
    const int32_t last = plan.slots[s].last;
    if (last <= plan.calls()) freed[static_cast<size_t>(last)].push_back(static_cast<int32_t>(s));
  }
  return freed;
}

}  // namespace reprise
