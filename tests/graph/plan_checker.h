#pragma once
// An independent checker of memory plans. It carries out a graph twice at a time: once in an ideal
// machine, where every memory has bytes of its own, and once in the memory that the plan gives out.
// Nothing is computed: a write leaves a stamp on its bytes, and whoever reads must find the stamps
// that the ideal machine has there. It knows nothing of lifetimes: a value that was overwritten
// while somebody still needs it is found when that one reads it.

#include <algorithm>
#include <map>

#include "../../graph/plan.h"

namespace reprise::test {

/// The byte at position p is byte p - base of what the write made.
struct Stamp {
  int64_t write = 0, base = 0;
  friend bool operator==(const Stamp&, const Stamp&) = default;
};

/// A stamp for every byte of an address space.
class Space {
 public:
  explicit Space(Stamp all = {}) : from_{{INT64_MIN, all}} {}
  Stamp at(int64_t position) const { return std::prev(from_.upper_bound(position))->second; }
  /// Where the next stamp may begin.
  int64_t next(int64_t position) const {
    const auto after = from_.upper_bound(position);
    return after == from_.end() ? INT64_MAX : after->first;
  }
  void write(int64_t begin, int64_t end, Stamp stamp) {
    if (begin >= end) return;
    const Stamp behind = at(end);
    from_.erase(from_.lower_bound(begin), from_.upper_bound(end));
    from_[begin] = stamp;
    from_[end] = behind;
  }

 private:
  std::map<int64_t, Stamp> from_;  // by first byte
};

struct ByteRange {
  int64_t begin = 0, end = 0;
  bool meets(const ByteRange& other) const {
    return std::max(begin, other.begin) < std::min(end, other.end);
  }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

class PlanChecker {
 public:
  PlanChecker(const Graph& graph, const Plan& plan) : graph_(graph), plan_(plan) {}

  /// Throws an Error that names the call and the value.
  void run() {
    check_figures();
    const auto calls = static_cast<int32_t>(graph_.code.size());
    for (const Capture& capture : graph_.captures) begin_external(capture.value);
    for (const bool with_prologue : {true, false, true, false}) {
      if (with_prologue) run_calls(0, graph_.prologue);
      begin_run();
      run_calls(graph_.prologue, calls);
      at_ = calls;
      end_run();
      free_after(calls);
    }
  }

 private:
  static constexpr int64_t kNothing = 0, kGarbage = -1;
  using Place = std::pair<Home, int32_t>;  // the arena is one place, with index 0

  template <class... Parts>
  void expect(bool ok, const Parts&... parts) const {
    const bool in_code = at_ >= 0 && static_cast<size_t>(at_) < graph_.code.size();
    check(ok, ErrorKind::Graph, "call ", at_, " (",
          in_code ? graph_.code[static_cast<size_t>(at_)].op->name() : "the end", "): ", parts...);
  }

  ValueId root(ValueId id) const { return graph_.value(id).root; }
  const Placement& placement(ValueId id) const { return plan_.of(root(id)); }
  Space& ideal(ValueId id) { return ideal_.try_emplace(root(id)).first->second; }
  Space& planned(Place place) {
    return planned_.try_emplace(place, Stamp{kGarbage, 0}).first->second;
  }
  Place place(ValueId id) const {
    const Placement& memory = placement(id);
    return {memory.home, memory.home == Home::arena ? 0 : memory.index};
  }
  /// Where the memory of a value begins in its place.
  int64_t base(ValueId id) const {
    const Placement& memory = placement(id);
    return memory.home == Home::arena ? plan_.slots.at(static_cast<size_t>(memory.index)).offset
                                      : 0;
  }
  /// From the first byte of a value to its last one, in its memory.
  ByteRange range(ValueId id) const {
    const Value& v = graph_.value(id);
    const auto size = static_cast<int64_t>(size_of(v.meta.dtype));
    int64_t last = 0;
    for (size_t d = 0; d < v.meta.shape.size(); ++d) {
      if (v.meta.shape[d] == 0) return {};
      last += (v.meta.shape[d] - 1) * v.meta.strides[d];
    }
    return {v.offset * size, (v.offset + last + 1) * size};
  }
  ByteRange planned_range(ValueId id) const {
    const ByteRange r = range(id);
    return {base(id) + r.begin, base(id) + r.end};
  }
  ByteRange slot_range(int32_t s) const {
    const Slot& slot = plan_.slots.at(static_cast<size_t>(s));
    return {slot.offset, slot.offset + slot.bytes};
  }

  void check_figures() const {
    expect(plan_.memory.size() == graph_.values.size(), "one placement for each value");
    expect(plan_.workspace.size() == graph_.code.size(), "one workspace for each call");
    for (size_t a = 0; a < plan_.slots.size(); ++a) {
      const Slot& slot = plan_.slots[a];
      expect(slot.offset >= 0 && slot.offset % 64 == 0, "slot ", a, " is not aligned");
      expect(slot.offset + slot.bytes + plan_.gap <= plan_.arena_bytes || slot.bytes == 0, "slot ",
             a, " is not in the arena");
      for (size_t b = 0; b < a && plan_.gap > 0; ++b) check_gap(slot, plan_.slots[b]);
    }
    expect(plan_.lower_bound <= plan_.arena_bytes, "the lower bound is above the arena");
    expect(plan_.lower_bound <= plan_.naive_bytes, "the lower bound is above the sum");
  }

  void check_gap(const Slot& a, const Slot& b) const {
    if (a.last < b.first || b.last < a.first || a.bytes == 0 || b.bytes == 0) return;
    const ByteRange wide_a{a.offset, a.offset + a.bytes + plan_.gap};
    const ByteRange wide_b{b.offset, b.offset + b.bytes + plan_.gap};
    expect(!wide_a.meets(wide_b), "there is no gap between two slots");
  }

  /// A value must lie within the bytes that its home has for it.
  void check_home(ValueId id) const {
    const Placement& memory = placement(id);
    const auto index = static_cast<size_t>(memory.index);
    const ByteRange r = range(id);
    switch (memory.home) {
      case Home::none: return expect(false, "%", id, " has no home");
      case Home::input:
        return expect(graph_.inputs.at(index) == root(id), "%", id, " is at home elsewhere");
      case Home::capture:
        return expect(graph_.captures.at(index).value == root(id), "%", id,
                      " is at home elsewhere");
      case Home::output: {
        const Meta& meta = graph_.meta(graph_.outputs.at(index));
        return expect(r.begin >= 0 && r.end <= static_cast<int64_t>(meta.nbytes()), "%", id,
                      " is larger than output ", index);
      }
      case Home::arena: break;
    }
    expect(r.begin >= 0 && r.end <= plan_.slots.at(index).bytes, "%", id,
           " is larger than its slot");
  }

  void begin_external(ValueId id) {
    check_home(id);
    if (root(id) != id) return;
    const Stamp stamp{++writes_, 0};
    ideal_[id] = Space(stamp);
    planned_[place(id)] = Space(stamp);
  }

  void begin_run() {
    for (size_t k = 0; k < graph_.outputs.size(); ++k) {
      planned_.erase({Home::output, static_cast<int32_t>(k)});
    }
    for (size_t i = static_cast<size_t>(graph_.prologue); i < graph_.code.size(); ++i) {
      for (ValueId id : graph_.code[i].out) {
        if (root(id) == id) ideal_.erase(id);
      }
    }
    for (ValueId id : graph_.inputs) begin_external(id);
  }

  void run_calls(int32_t from, int32_t to) {
    for (at_ = from; at_ < to; ++at_) {
      const Call& call = graph_.code[static_cast<size_t>(at_)];
      if (call.op->traits().alias) continue;
      for (ValueId id : call.in) read(id);
      if (call.into != kNoValue) read(call.into);
      for (ValueId id : call.out) check_home(id);
      check_overlaps(call);
      use_workspace(call);
      for (ValueId id : call.out) write(id);
      free_after(at_);
    }
  }

  void read(ValueId id) {
    check_home(id);
    find(id, planned(place(id)), base(id));
  }

  /// The bytes of a value, in a memory that begins at `base` of a place.
  void find(ValueId id, const Space& space, int64_t base) {
    const Space& truth = ideal(id);
    for (auto [p, end] = range(id); p < end;
         p = std::min(truth.next(p), space.next(base + p) - base)) {
      const Stamp want = truth.at(p), got = space.at(base + p);
      expect(want.write != kNothing, "reads byte ", p, " of %", id, ", which nobody wrote");
      expect(got == Stamp{want.write, base + want.base}, "reads byte ", p, " of %", id,
             ", which was overwritten");
    }
  }

  void write(ValueId id) {
    const ByteRange r = range(id);
    const Stamp stamp{++writes_, 0};
    ideal(id).write(r.begin, r.end, stamp);
    planned(place(id)).write(base(id) + r.begin, base(id) + r.end, {stamp.write, base(id)});
  }

  void check_overlaps(const Call& call) const {
    for (size_t o = 0; o < call.out.size(); ++o) {
      for (size_t k = 0; k < call.in.size(); ++k) {
        if (!share_bytes(call.out[o], call.in[k])) continue;
        expect(o == 0 && may_lie_over(call, k), "%", call.out[o], " is written over %", call.in[k],
               ", which the kernel still reads");
      }
      for (size_t p = 0; p < o; ++p) {
        expect(!share_bytes(call.out[o], call.out[p]), "%", call.out[o], " lies over %",
               call.out[p]);
      }
    }
  }

  /// Bytes of different memories of the graph in one place of the plan.
  bool share_bytes(ValueId a, ValueId b) const {
    return root(a) != root(b) && place(a) == place(b) && planned_range(a).meets(planned_range(b));
  }

  bool is_dense(ValueId id) const {
    const Meta& meta = graph_.meta(id);
    return meta.is_contiguous() || meta.is_contiguous(channels_last);
  }

  bool are_dense(ValueId a, ValueId b, MemoryFormat format) const {
    return graph_.meta(a).is_contiguous(format) && graph_.meta(b).is_contiguous(format);
  }

  bool may_lie_over(const Call& call, size_t k) const {
    const ValueId out = call.out[0], in = call.in[k];
    const bool allowed = k < 32 && (call.op->traits().overwrites >> k & 1U) != 0;
    return allowed && planned_range(out) == planned_range(in) &&
           (are_dense(out, in, contiguous_format) || are_dense(out, in, channels_last));
  }

  void use_workspace(const Call& call) {
    if (call.out.empty()) return;
    Metas metas;
    for (ValueId id : call.in) metas.push_back(graph_.meta(id));
    const Device device = (call.in.empty() ? graph_.meta(call.out[0]) : metas[0]).device;
    const auto needed = static_cast<int64_t>(call.op->workspace(metas, device));
    const int32_t s = plan_.workspace[static_cast<size_t>(at_)];
    if (s < 0) return expect(needed == 0, "has no workspace");
    const ByteRange scratch = slot_range(s);
    expect(scratch.end - scratch.begin >= needed, "the workspace is too small");
    const auto check_apart = [&](ValueId id) {
      expect(placement(id).home != Home::arena || !scratch.meets(planned_range(id)), "%", id,
             " lies in the workspace");
    };
    for (ValueId id : call.in) check_apart(id);
    for (ValueId id : call.out) check_apart(id);
    planned({Home::arena, 0}).write(scratch.begin, scratch.end, {++writes_, 0});
  }

  /// What a debug mode does: nobody may miss what is said to be free.
  void free_after(int32_t call) {
    for (int32_t s : freed_.at(static_cast<size_t>(call))) {
      planned({Home::arena, 0}).write(slot_range(s).begin, slot_range(s).end, {++writes_, 0});
    }
  }

  void end_run() {
    for (size_t k = 0; k < graph_.outputs.size(); ++k) end_output(static_cast<int32_t>(k));
    for (const Update& update : graph_.updates) {
      const Home home = placement(update.root).home;
      expect(home == Home::input || home == Home::capture, "%", update.root, " is not outside");
      read(update.last);
    }
    for (ValueId id : graph_.inputs) read(id);
    for (const Capture& capture : graph_.captures) read(capture.value);
  }

  void end_output(int32_t k) {
    const ValueId id = graph_.outputs[static_cast<size_t>(k)];
    const Place caller{Home::output, k};
    const bool copied =
        std::find(plan_.copied.begin(), plan_.copied.end(), k) != plan_.copied.end();
    if (copied) {
      expect(!planned_.contains(caller), "output ", k, " is copied, and has been written");
      return read(id);
    }
    expect(is_dense(id) && range(id).begin == 0, "output ", k, " is not dense");
    find(id, planned(caller), 0);
  }

  const Graph& graph_;
  const Plan& plan_;
  const std::vector<std::vector<int32_t>> freed_ = freed_slots(plan_);
  std::map<ValueId, Space> ideal_;  // by root
  std::map<Place, Space> planned_;
  int64_t writes_ = 0;
  int32_t at_ = -1;
};

/// Empty for a plan that keeps every value as long as somebody needs it, else what is wrong.
inline std::string plan_fault(const Graph& graph, const Plan& plan) {
  try {
    PlanChecker(graph, plan).run();
    return {};
  } catch (const std::exception& fault) {
    return fault.what();
  }
}

}  // namespace reprise::test
