// Elementwise calls of one shape that read one another become one Fused call, which runs where the
// last of them ran. So nothing between the first and the last may read a result, and no operand may
// be written: a run that this happens to takes no more calls.

#include <algorithm>
#include <numeric>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

constexpr int32_t kNoRun = -1;

size_t index(int32_t id) { return static_cast<size_t>(id); }

struct Run {
  std::vector<int32_t> calls;  // ascending; empty when another run took them over
  std::vector<ValueId> inputs;
  bool open = true;
};

class Fuser {
 public:
  explicit Fuser(Graph graph)
      : graph_(std::move(graph)),
        uses_(graph_),
        definitions_(definitions(graph_)),
        ends_(first_writes_after(graph_)),
        run_of_(graph_.code.size(), kNoRun) {}

  Graph fused() {
    for (size_t i = 0; i < graph_.code.size(); ++i) visit(static_cast<int32_t>(i));
    std::vector<Call> code;
    for (size_t i = 0; i < graph_.code.size(); ++i) {
      const int32_t run = run_of_[i];
      const bool alone = run == kNoRun || runs_[index(run)].calls.size() == 1;
      if (alone) {
        code.push_back(std::move(graph_.code[i]));
      } else if (runs_[index(run)].calls.back() == static_cast<int32_t>(i)) {
        Call fused = fused_call(runs_[index(run)]);
        if (!fused.out.empty()) code.push_back(std::move(fused));  // else nobody reads anything
      }
      if (static_cast<int32_t>(i) + 1 == graph_.prologue)
        early_ = static_cast<int32_t>(code.size());
    }
    graph_.code = std::move(code);
    graph_.prologue = early_;
    return renumber(std::move(graph_));
  }

 private:
  const Call& call(int32_t i) const { return graph_.code[index(i)]; }
  ValueId result(int32_t i) const { return call(i).out[0]; }

  /// A copy is a step only where it converts: the kernels of others beat tiles at changing layouts.
  /// The remainder of integers is none, since its kernel looks for zeros first.
  bool may_fuse(const Call& c) const {
    const Meta &from = graph_.meta(c.in[0]), &to = graph_.meta(c.out[0]);
    return is_pure(c) && is_elementwise(*c.op) && to.numel() > 0 && rounds_between(c) &&
           (as<Copy>(*c.op) == nullptr || from.dtype != to.dtype) &&
           (as<Remainder>(*c.op) == nullptr || is_floating_point(to.dtype));
  }

  /// A Fused call whose operands are widened would not round 16-bit values between its steps.
  bool rounds_between(const Call& c) const {
    const auto is_narrow = [&](ValueId id) { return is_half(graph_.meta(id).dtype); };
    const Device device = graph_.meta(c.out[0]).device;
    return reprise::detail::traits_of<Fused>.takes_half(device.kind) ||
           (std::ranges::none_of(c.in, is_narrow) && !is_narrow(c.out[0]));
  }

  int32_t run_of(ValueId id) const {
    const int32_t at = definitions_[index(id)];
    return at < 0 ? kNoRun : run_of_[index(at)];
  }

  void visit(int32_t i) {
    const bool fits = may_fuse(call(i));
    Run joined{{i}, {}, true};
    std::vector<int32_t> taken;
    for (ValueId id : call(i).in) {
      const int32_t run = run_of(id);
      if (run == kNoRun || std::ranges::find(taken, run) != taken.end()) continue;
      if (fits && try_join(joined, runs_[index(run)])) {
        taken.push_back(run);
      } else {
        runs_[index(run)].open = false;
      }
    }
    if (call(i).into != kNoValue && run_of(call(i).into) != kNoRun) {
      runs_[index(run_of(call(i).into))].open = false;
    }
    if (fits) add_run(std::move(joined), taken);
  }

  /// Adds the calls of `other` to `run`, when one Fused call can be made of them all.
  bool try_join(Run& run, const Run& other) const {
    const int32_t at = run.calls.back(), earlier = other.calls.back();
    if (!other.open || (earlier < graph_.prologue) != (at < graph_.prologue)) return false;
    const Meta &to = graph_.meta(result(at)), &from = graph_.meta(result(earlier));
    if (to.shape != from.shape || to.strides != from.strides) return false;
    Run both;
    std::ranges::merge(run.calls, other.calls, std::back_inserter(both.calls));
    both.inputs = inputs_of(both.calls);
    const auto readable = [&](ValueId id) { return ends_[index(id)] >= at; };
    if (both.calls.size() > kMostFusedSteps || both.inputs.size() > kMostFusedInputs ||
        results_of(both.calls).size() > kMostFusedResults ||
        !std::ranges::all_of(both.inputs, readable)) {
      return false;
    }
    run = std::move(both);
    return true;
  }

  void add_run(Run run, std::span<const int32_t> taken) {
    const auto id = static_cast<int32_t>(runs_.size());
    for (int32_t i : run.calls) run_of_[index(i)] = id;
    for (int32_t other : taken) runs_[index(other)] = {};
    runs_.push_back(std::move(run));
  }

  static bool is_in(std::span<const int32_t> calls, int32_t i) {
    return std::ranges::binary_search(calls, i);
  }

  std::vector<ValueId> inputs_of(std::span<const int32_t> calls) const {
    std::vector<ValueId> inputs;
    for (int32_t i : calls) {
      for (ValueId id : call(i).in) {
        if (is_in(calls, definitions_[index(id)])) continue;
        if (std::ranges::find(inputs, id) == inputs.end()) inputs.push_back(id);
      }
    }
    return inputs;
  }

  /// Of the calls those with readers outside.
  std::vector<int32_t> results_of(std::span<const int32_t> calls) const {
    std::vector<int32_t> results;
    std::ranges::copy_if(calls, std::back_inserter(results), [&](int32_t i) {
      return std::ranges::any_of(uses_.of(result(i)),
                                 [&](int32_t at) { return !is_in(calls, at); });
    });
    return results;
  }

  /// Its outputs are the very values that its readers read already.
  Call fused_call(const Run& run) const {
    Fused op;
    const auto number = [&](ValueId id) -> int64_t {
      const auto step = std::ranges::lower_bound(run.calls, definitions_[index(id)]);
      const auto input = std::ranges::find(run.inputs, id);
      if (input != run.inputs.end()) return input - run.inputs.begin();
      return static_cast<int64_t>(run.inputs.size()) + (step - run.calls.begin());
    };
    Call fused;
    for (int32_t i : run.calls) {
      FusedStep& step = op.steps.emplace_back(FusedStep{call(i).op, {}});
      for (ValueId id : call(i).in) step.in.push_back(number(id));
    }
    for (int32_t i : results_of(run.calls)) {
      op.results.push_back(number(result(i)));
      fused.out.push_back(result(i));
    }
    fused.op = Model(op).keep();
    fused.in = ValueIds(run.inputs.begin(), run.inputs.end());
    fused.where = call(run.calls.back()).where;
    return fused;
  }

  Graph graph_;
  Uses uses_;
  std::vector<int32_t> definitions_, ends_;
  std::vector<int32_t> run_of_;  // by call
  std::vector<Run> runs_;
  int32_t early_ = 0;
};

}  // namespace

Graph fuse_elementwise(Graph graph) { return Fuser(std::move(graph)).fused(); }

}  // namespace reprise::passes
