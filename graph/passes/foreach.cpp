// On a GPU a launch takes longer than what it does to a small tensor. So copies to another dtype,
// sums into memory and fills become calls over many tensors where they can run at one point: behind
// all that they read and before all that reads them. Those that others of their kind depend on
// stay on their side of them.

#include <algorithm>
#include <map>

#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/foreach.h"
#include "../../core/ops/random.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

constexpr size_t kMostBytes = 16 << 20;     // more take longer than a launch
constexpr size_t kWaitingBytes = 32 << 20;  // of results, or terms, that lie there for longer

size_t index(int32_t id) { return static_cast<size_t>(id); }

/// Calls that become one.
struct Kind {
  /// What they become; null for a call of another kind.
  OpRef (*together)(const Graph& graph, const Call& call);
  bool in_place;
};

OpRef sums_together(const Graph& graph, const Call& call) {
  const bool is_sum = as<Add>(*call.op) != nullptr && call.into != kNoValue &&
                      call.into == call.in[0] && is_floating_point(graph.meta(call.into).dtype) &&
                      graph.value(call.in[1]).root != graph.value(call.into).root;
  return is_sum ? Model(ForeachAdd{}).keep() : OpRef();
}

OpRef fills_together(const Graph&, const Call& call) {
  const Full* fill = as<Full>(*call.op);
  const bool is_fill = fill != nullptr && call.into != kNoValue && is_floating_point(fill->dtype);
  return is_fill ? Model(ForeachFill{fill->value.to<double>()}).keep() : OpRef();
}

OpRef copies_together(const Graph& graph, const Call& call) {
  const Copy* copy = as<Copy>(*call.op);
  if (copy == nullptr || call.into != kNoValue) return {};
  const DType from = graph.meta(call.in[0]).dtype;
  const bool widens = is_half(from) && copy->dtype == float32;
  const bool shortens = from == float32 && is_half(copy->dtype);
  return widens || shortens ? Model(ForeachCopy{copy->dtype}).keep() : OpRef();
}

/// A call that may run in front of any call from `earliest` to `latest`.
struct Candidate {
  size_t call;
  OpRef together;
  int32_t earliest, latest;
};

struct Group {
  std::vector<const Candidate*> members;
  int32_t earliest = 0, latest = kNever;
  size_t bytes = 0;

  bool takes(const Candidate& c) const {
    return c.earliest <= latest && earliest <= c.latest && bytes < kWaitingBytes;
  }
  void add(const Candidate& c, size_t its_bytes) {
    members.push_back(&c);
    earliest = std::max(earliest, c.earliest);
    latest = std::min(latest, c.latest);
    bytes += its_bytes;
  }
};

class Collector {
 public:
  Collector(Graph graph, const Kind& kind)
      : graph_(std::move(graph)),
        kind_(kind),
        made_(definitions(graph_)),
        ends_(first_writes_after(graph_)),
        touches_(graph_.values.size()),
        together_(graph_.code.size()) {
    for (size_t i = 0; i < graph_.code.size(); ++i) note(i);
  }

  Graph collected() {
    std::vector<Candidate> candidates;
    for (size_t i = 0; i < together_.size(); ++i) {
      if (together_[i]) candidates.push_back(candidate(i));
    }
    const auto by_latest = [](const Candidate& c) { return c.latest; };
    std::ranges::stable_sort(candidates, {}, by_latest);
    for (const Candidate& c : candidates) join(c);
    return rebuilt();
  }

 private:
  int32_t root(ValueId id) const { return graph_.value(id).root; }
  size_t bytes_of(const Call& call) const { return graph_.meta(call.out[0]).nbytes(); }

  void note(size_t i) {
    const Call& call = graph_.code[i];
    const auto touch = [&](ValueId id) { touches_[index(root(id))].push_back(i); };
    for (ValueId id : call.in) touch(id);
    for (ValueId id : call.out) touch(id);
    // Numbers that are drawn have nothing to do with memory.
    if (call.op->traits().effects && as<RandomBlocks>(*call.op) == nullptr) barriers_.push_back(i);
    const bool on_gpu =
        graph_.meta(call.out.empty() ? 0 : call.out[0]).device.kind == Device::Kind::cuda;
    if (static_cast<int32_t>(i) < graph_.prologue || call.out.empty() || !on_gpu) return;
    if (bytes_of(call) <= kMostBytes) together_[i] = kind_.together(graph_, call);
  }

  Candidate candidate(size_t i) const {
    const Call& call = graph_.code[i];
    const auto here = static_cast<int32_t>(i);
    Candidate c{i, together_[i], graph_.prologue, static_cast<int32_t>(graph_.code.size())};
    const auto stay_behind = [&](int32_t other) {
      if (other >= 0) c.earliest = std::max(c.earliest, together_[index(other)] ? here : other + 1);
    };
    const auto stay_before = [&](int32_t other) {
      if (other < c.latest) c.latest = together_[index(other)] ? here : other;
    };
    for (ValueId id : call.in) {
      stay_behind(made_[index(id)]);
      stay_before(ends_[index(id)] == here ? kNever : ends_[index(id)]);
    }
    for (const std::vector<size_t>* order : {&touches_[index(root(call.out[0]))], &barriers_}) {
      const auto before = std::ranges::lower_bound(*order, i);
      const auto after = std::ranges::upper_bound(*order, i);
      if (before != order->begin()) stay_behind(static_cast<int32_t>(*std::prev(before)));
      if (after != order->end()) stay_before(static_cast<int32_t>(*after));
    }
    return c;
  }

  void join(const Candidate& c) {
    const Call& call = graph_.code[c.call];
    const Meta& made = graph_.meta(call.out[0]);
    const std::string key = text(c.together->text(), " ",
                                 graph_.meta(call.in.empty() ? call.out[0] : call.in.back()).dtype,
                                 " ", made.dtype, " ", made.device);
    std::vector<Group>& groups = groups_[key];
    const auto found = std::ranges::find_if(groups, [&](const Group& g) { return g.takes(c); });
    (found != groups.end() ? *found : groups.emplace_back()).add(c, bytes_of(call));
  }

  /// Sums run as soon as they can: their terms wait. Copies run as late as they can.
  Graph rebuilt() {
    std::vector<std::vector<Call>> in_front(graph_.code.size() + 1);
    for (const auto& [key, groups] : groups_) {
      for (const Group& group : groups) {
        if (group.members.size() < 2) continue;
        in_front[index(kind_.in_place ? group.earliest : group.latest)].push_back(one_call(group));
      }
    }
    std::vector<Call> code;
    for (size_t i = 0; i <= graph_.code.size(); ++i) {
      std::ranges::move(in_front[i], std::back_inserter(code));
      if (i < graph_.code.size() && graph_.code[i].op) code.push_back(std::move(graph_.code[i]));
    }
    graph_.code = std::move(code);
    return renumber(std::move(graph_));
  }

  /// Outputs stay the values that they were.
  Call one_call(const Group& group) {
    Call all{group.members.front()->together, {}, {}, kNoValue, {}};
    for (const Candidate* c : group.members) {
      Call& call = graph_.code[c->call];
      if (call.in.empty()) all.in.push_back(call.into);
      for (ValueId id : call.in) all.in.push_back(id);
      all.out.push_back(call.out[0]);
      call.op.reset();
    }
    return all;
  }

  Graph graph_;
  Kind kind_;
  std::vector<int32_t> made_, ends_;
  std::vector<std::vector<size_t>> touches_;  // by root: the calls that read or write it
  std::vector<size_t> barriers_;
  std::vector<OpRef> together_;  // by call: what it becomes with others, or null
  std::map<std::string, std::vector<Group>> groups_;
};

}  // namespace

Graph foreach_writes(Graph graph) {
  graph = Collector(std::move(graph), {sums_together, true}).collected();
  return Collector(std::move(graph), {fills_together, true}).collected();
}

Graph foreach_copies(Graph graph) {
  return Collector(std::move(graph), {copies_together, false}).collected();
}

}  // namespace reprise::passes
