#include "rewrite.h"

#include <algorithm>
#include <map>

#include "../../core/ops/elementwise.h"

namespace reprise::passes {

Rewriter::Rewriter(Graph graph)
    : graph_(std::move(graph)),
      uses_(graph_),
      came_(graph_.values.size()),
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
    if (reader == static_cast<int32_t>(graph_.code.size())) return false;
    const Call& call = reader == at_ ? visited_ : graph_.code[static_cast<size_t>(reader)];
    return is_elementwise(*call.op) && call.into != id;
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

bool Rewriter::replace(const Call& call, const OpBase& op, ValueIds in,
                       std::span<const ValueId> earlier) {
  if (!std::ranges::all_of(in, [&](ValueId id) { return readable(id); })) return false;
  if (!std::ranges::all_of(earlier, [&](ValueId id) { return unread_so_far(id); })) return false;
  try {
    insert(graph_.make_call(op, std::move(in), kNoValue, call.where));
  } catch (const Error&) {
    return false;  // an op that refuses these operands is no replacement
  }
  ValueIds out = call.out;
  for (ValueId id : earlier) out.push_back(id);
  if (!replace(out, done_.back().out)) {
    release(done_.back());
    return false;
  }
  for (ValueId& id : visited_.in) id = resolve(id);
  return true;
}

/// Nor does any other value that it stands for have readers.
bool Rewriter::unread_so_far(ValueId id) const {
  if (index(id) >= came_) return false;
  const auto readers = uses_.of(id);
  return reads(id) == static_cast<int32_t>(readers.size()) &&
         std::ranges::all_of(readers, [&](int32_t at) { return at >= at_; });
}

bool Rewriter::extend(const Call& call, ValueId id, const OpBase& op, const ValueIds& more) {
  if (reads(id) != 1 || maker(id) == nullptr || call.out.size() != 1) return false;
  Call& maker = done_[static_cast<size_t>(made_at_[index(id)])];
  if (!can_extend(maker, op, more) || !fits(call.out[0], id)) return false;
  maker.op = op.keep();
  for (ValueId operand : more) maker.in.push_back(operand), ++reads_[index(operand)];
  rename(call.out[0], id);
  return true;
}

bool Rewriter::can_extend(const Call& maker, const OpBase& op, const ValueIds& more) const {
  Metas in;
  for (ValueId id : maker.in) in.push_back(meta(id));
  for (ValueId id : more) {
    const bool is_there = made_at_[index(id)] < made_at_[index(maker.out[0])];
    if (!readable(id) || !is_there || meta(id).device != in[0].device) return false;
    in.push_back(meta(id));
  }
  try {
    const Metas out = op.infer(in);
    return std::ranges::equal(
        out, std::span(maker.out).first(returned_outputs(maker)), [&](const Meta& a, ValueId id) {
          const Meta& b = meta(id);
          return a.shape == b.shape && a.dtype == b.dtype && a.strides == b.strides;
        });
  } catch (const Error&) {
    return false;
  }
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
  // Nothing else reads it: its memory becomes that of `out`.
  const auto here = visited_.out.size() == 1 ? std::ranges::count(visited_.in, by) : 0;
  const bool takes_over =
      a.root == out && b.root == by && reads(by) == here && maker(by) != nullptr;
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

}  // namespace reprise::passes
