// Cloning what a SymbolicModel runs.

#include "boxed.h"
#include "replay_plan.h"

namespace reprise::detail {

/// Boxed values are constants that nobody changes, so they stay shared.
ReplayPlan clone(const ReplayPlan& plan, nn::detail::CloneScope& scope) {
  ReplayPlan twin = plan;
  for (Step& step : twin.steps) {
    step.callable = scope.callable(*step.callable);
    for (Source& source : step.arguments) {
      if (boxed_type(source.constant) == nullptr) source.constant = scope.tensor(source.constant);
    }
    auto* const module = dynamic_cast<nn::Module*>(step.callable.get());
    for (size_t value : step.outputs) {
      if (value != SIZE_MAX) twin.values[value].module = module;
    }
  }
  return twin;
}

}  // namespace reprise::detail
