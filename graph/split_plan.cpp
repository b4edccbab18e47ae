#include "split_plan.h"

#include <algorithm>
#include <map>

#include "model.h"

namespace reprise::detail {
namespace {

bool is_host_step(const ReplayPlan& plan, const Step& step) {
  if (dynamic_cast<const CodeCallable*>(step.callable.get()) != nullptr) return true;
  const auto boxed = [&](size_t value) {
    return value != SIZE_MAX && plan.values[value].boxed != nullptr;
  };
  if (std::ranges::any_of(step.outputs, boxed) ||
      std::ranges::any_of(step.arguments, boxed, &Source::value)) {
    return true;
  }
  const auto* model = dynamic_cast<const SymbolicModel*>(step.callable.get());
  return model != nullptr && !host_steps(model->plan()).empty();
}

/// The last step that reads each value; outputs of the plan are read after all.
std::vector<size_t> last_readers(const ReplayPlan& plan) {
  std::vector<size_t> last(plan.values.size(), 0);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    for (const Source& source : plan.steps[i].arguments) {
      if (source.value != Source::kConstant) last[source.value] = i;
    }
  }
  for (size_t value : plan.outputs) last[value] = plan.steps.size();
  return last;
}

/// Steps begin..end of a plan as a plan of their own.
class Part {
 public:
  Part(const ReplayPlan& whole, size_t begin, size_t end)
      : whole_(whole),
        steps_(whole.steps.begin() + static_cast<ptrdiff_t>(begin),
               whole.steps.begin() + static_cast<ptrdiff_t>(end)) {
    find_inputs();
    part_.input_count = inputs_.size();
    for (const Step& step : steps_) add(step);
  }

  /// What it reads, and what of its own is needed later: values of the whole plan.
  const std::vector<size_t>& inputs() const { return inputs_; }
  std::vector<size_t> keep(const std::vector<size_t>& last_reader, size_t end) {
    std::vector<size_t> kept;
    for (const auto& [value, at] : index_of_) {
      if (at < inputs_.size() || last_reader[value] < end) continue;
      kept.push_back(value);
      part_.outputs.push_back(at);
    }
    return kept;
  }
  ReplayPlan take() {
    find_last_uses(part_);
    part_.is_part = true;
    return std::move(part_);
  }

 private:
  void find_inputs() {
    std::set<size_t> made;
    for (const Step& step : steps_) {
      for (const Source& source : step.arguments) {
        const size_t value = source.value;
        if (value == Source::kConstant || made.contains(value) || index_of_.contains(value)) {
          continue;
        }
        inputs_.push_back(value);
        add_value(value);
      }
      made.insert(step.outputs.begin(), step.outputs.end());
    }
  }

  size_t add_value(size_t value) {
    index_of_[value] = part_.values.size();
    part_.values.push_back(whole_.values[value]);
    part_.values.back().parents.clear();
    return index_of_[value];
  }

  void add(Step step) {
    for (Source& source : step.arguments) {
      if (source.value != Source::kConstant) source.value = index_of_.at(source.value);
    }
    for (size_t& value : step.outputs) {
      if (value != SIZE_MAX) value = add_value(value);
    }
    step.last_use_of.clear();
    part_.steps.push_back(std::move(step));
  }

  const ReplayPlan& whole_;
  std::vector<Step> steps_;
  std::vector<size_t> inputs_;
  std::map<size_t, size_t> index_of_;  // from values of the whole plan
  ReplayPlan part_;
};

}  // namespace

std::set<size_t> host_steps(const ReplayPlan& plan) {
  std::set<size_t> out;
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    if (is_host_step(plan, plan.steps[i])) out.insert(i);
  }
  return out;
}

ReplayPlan split_plan(const ReplayPlan& plan, const std::set<size_t>& host_steps,
                      const std::function<std::shared_ptr<Callable>(ReplayPlan)>& make_part) {
  const std::vector<size_t> last_reader = last_readers(plan);
  ReplayPlan out{plan.values, {}, plan.outputs, plan.input_count, plan.is_part};
  for (size_t begin = 0; begin < plan.steps.size();) {
    if (host_steps.contains(begin)) {
      out.steps.push_back(plan.steps[begin++]);
      out.steps.back().last_use_of.clear();
      continue;
    }
    const auto next = host_steps.upper_bound(begin);
    const size_t end = next == host_steps.end() ? plan.steps.size() : *next;
    Part part(plan, begin, end);
    Step step{nullptr, "", {}, part.keep(last_reader, end), {}};
    for (size_t value : part.inputs()) step.arguments.push_back({value, {}});
    step.callable = make_part(part.take());
    out.steps.push_back(std::move(step));
    begin = end;
  }
  find_last_uses(out);
  return out;
}

}  // namespace reprise::detail
