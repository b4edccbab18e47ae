#include "rewrite.h"

#include <algorithm>
#include <map>

#include "../../core/ops/elementwise.h"

namespace reprise::passes {
namespace {

size_t index(ValueId id) { return static_cast<size_t>(id); }

/// An output that is a later moment of an operand's memory.
bool is_write(const Call& call, size_t k) {
  return call.into != kNoValue || k >= returned_outputs(call);
}

}  // namespace

Rewriter::Rewriter(Graph graph)
    : graph_(std::move(graph)),
      uses_(graph_),
      constant_(constant_values(graph_)),
      stands_for_(graph_.values.size()),
      reads_(graph_.values.size()),
      made_at_(graph_.values.size(), kOutside),
      ends_(first_writes_after(graph_)) {
  for (size_t i = 0; i < stands_for_.size(); ++i) {
    stands_for_[i] = static_cast<ValueId>(i);
    reads_[i] = static_cast<int32_t>(uses_.of(stands_for_[i]).size());
  }
}

const Call* Rewriter::next() {
  if (at_ >= 0) settle();
  if (++at_ == static_cast<int32_t>(graph_.code.size())) return nullptr;
  visited_ = std::move(graph_.code[static_cast<size_t>(at_)]);
  for (ValueId& id : visited_.in) id = resolve(id);
  if (visited_.into != kNoValue) visited_.into = resolve(visited_.into);
  place_outputs(visited_);
  return &visited_;
}

const Call* Rewriter::maker(ValueId id) const {
  const int32_t at = made_at_[index(id)];
  return at < 0 ? nullptr : &done_[static_cast<size_t>(at)];
}

bool Rewriter::any_layout(ValueId id) const {
  return std::ranges::all_of(uses_.of(id), [&](int32_t reader) {
    const auto at = static_cast<size_t>(reader);
    return at < graph_.code.size() && is_elementwise(*graph_.code[at].op) &&
           graph_.code[at].into != id;
  });
}

ValueId Rewriter::add(const OpBase& op, ValueIds in) {
  Call call = graph_.make_call(op, std::move(in), kNoValue, visited_.where);
  const ValueId out = call.out[0];
  insert(std::move(call));
  return out;
}

bool Rewriter::replace(ValueId out, ValueId by) {
  return replace(std::span(&out, 1), std::span(&by, 1));
}

bool Rewriter::replace(const Call& call, std::span<const ValueId> by) {
  return replace(std::span<const ValueId>(call.out), by);
}

bool Rewriter::replace(const Call& call, const OpBase& op, ValueIds in) {
  if (!std::ranges::all_of(in, [&](ValueId id) { return readable(id); })) return false;
  try {
    insert(graph_.make_call(op, std::move(in), kNoValue, call.where));
  } catch (const Error&) {
    return false;  // an op that refuses these operands is no replacement
  }
  if (replace(call, done_.back().out)) return true;
  release(done_.back());
  return false;
}

bool Rewriter::replace(std::span<const ValueId> out, std::span<const ValueId> by) {
  if (by.size() < out.size()) return false;
  for (size_t k = 0; k < out.size(); ++k) {
    if (!readable(by[k]) || !fits(out[k], by[k])) return false;
  }
  for (size_t k = 0; k < out.size(); ++k) rename(out[k], by[k]);
  return true;
}

bool Rewriter::fits(ValueId out, ValueId by) const {
  const Value &a = value(out), &b = value(by);
  if (a.meta.shape != b.meta.shape || a.meta.dtype != b.meta.dtype ||
      a.meta.device != b.meta.device) {
    return false;
  }
  if (a.meta.strides != b.meta.strides && !any_layout(out)) return false;
  if (a.root == b.root && a.offset == b.offset) return true;
  const bool takes_over = a.root == out && b.root == by && reads(by) == 0 && maker(by) != nullptr;
  return takes_over || (!overwritten(out) && !overwritten(by));
}

void Rewriter::rename(ValueId out, ValueId by) {
  stands_for_[index(out)] = by;
  reads_[index(by)] += std::exchange(reads_[index(out)], 0);
  ends_[index(by)] = std::min(end(by), end(out));
}

/// Where outputs live follows from where the operands, which may be others than before, live now.
void Rewriter::place_outputs(const Call& call) {
  for (size_t k = 0; k < call.out.size(); ++k) {
    const ValueId source = memory_of_output(call, k);
    if (source == kNoValue) continue;
    const bool moves = call.op->traits().alias && !is_write(call, k);
    Value& out = graph_.values[index(call.out[k])];
    out.root = value(source).root;
    out.offset = value(source).offset + (moves ? call.op->offset(meta(source)) : 0);
  }
}

void Rewriter::insert(Call call) {
  const bool is_constant =
      std::ranges::all_of(call.in, [&](ValueId id) { return constant_[index(id)]; });
  for (ValueId id : call.in) ++reads_[index(id)];
  for (size_t id = reads_.size(); id < graph_.values.size(); ++id) {
    stands_for_.push_back(static_cast<ValueId>(id));
    reads_.push_back(0);
    made_at_.push_back(kOutside);
    ends_.push_back(kNever);
    constant_.push_back(is_constant);
  }
  for (size_t k = 0; k < call.out.size(); ++k) {
    made_at_[index(call.out[k])] = static_cast<int32_t>(done_.size());
    const ValueId source = memory_of_output(call, k);
    if (source != kNoValue) ends_[index(call.out[k])] = end(source);
  }
  prologue_ += at_ < graph_.prologue;
  done_.push_back(std::move(call));
}

/// Keeps the visited call or, when it was replaced, gives its operands back.
void Rewriter::settle() {
  if (is_dead(visited_)) return release(visited_);
  for (ValueId id : visited_.out) made_at_[index(id)] = static_cast<int32_t>(done_.size());
  prologue_ += at_ < graph_.prologue;
  done_.push_back(std::move(visited_));
}

bool Rewriter::is_dead(const Call& call) const {
  return !call.op->traits().effects &&
         std::ranges::all_of(call.out, [&](ValueId id) { return reads(id) == 0; });
}

/// Drops a dead call and all that only it needed.
void Rewriter::release(Call& call) {
  std::vector<Call*> dead{&call};
  while (!dead.empty()) {
    Call& dropped = *dead.back();
    dead.pop_back();
    dropped.op.reset();
    for (ValueId id : dropped.out) made_at_[index(id)] = kDropped;
    if (dropped.into != kNoValue) dropped.in.push_back(dropped.into);
    for (ValueId id : dropped.in) {
      const int32_t at = made_at_[index(id)];
      if (--reads_[index(id)] > 0 || at < 0) continue;
      Call& maker = done_[static_cast<size_t>(at)];
      if (is_dead(maker)) dead.push_back(&maker);
    }
  }
}

Graph Rewriter::finish() {
  for (size_t i = done_.size(); i-- > 0;) {
    if (done_[i].op && is_dead(done_[i])) release(done_[i]);
  }
  const auto early = done_.begin() + prologue_;
  graph_.prologue = static_cast<int32_t>(
      std::count_if(done_.begin(), early, [](const Call& call) { return call.op != nullptr; }));
  graph_.code.clear();
  for (Call& call : done_) {
    if (call.op) graph_.code.push_back(std::move(call));
  }
  for (ValueId& id : graph_.outputs) id = resolve(id);
  for (Update& update : graph_.updates) update.last = resolve(update.last);
  return renumber(std::move(graph_));
}

Graph rewrite(Graph graph, std::span<const Rule> rules) {
  std::map<std::string_view, std::vector<const Rule*>> rules_of;
  const auto rules_for = [&](std::string_view op) -> const std::vector<const Rule*>& {
    const auto [found, is_new] = rules_of.try_emplace(op);
    for (const Rule& rule : rules) {
      if (is_new && (rule.op.empty() || rule.op == op)) found->second.push_back(&rule);
    }
    return found->second;
  };
  Rewriter r(std::move(graph));
  while (const Call* call = r.next()) {
    if (!is_pure(*call)) continue;
    for (const Rule* rule : rules_for(call->op->name())) {
      if (rule->apply(r, *call)) break;
    }
  }
  return r.finish();
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
