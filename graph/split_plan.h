#pragma once
// A model with C++ code in it: parts that programs can run, and host steps between them.

#include <functional>
#include <set>

#include "replay_plan.h"

namespace reprise::detail {

/// The steps of which no program can be made: C++ functions of add_to_graph and whatever takes or
/// gives values that are no tensors.
std::set<size_t> host_steps(const ReplayPlan& plan);

/// The same plan with every run of other steps as one step without a name, which calls what
/// `make_part` returns.
ReplayPlan split_plan(const ReplayPlan& plan, const std::set<size_t>& host_steps,
                      const std::function<std::shared_ptr<Callable>(ReplayPlan)>& make_part);

}  // namespace reprise::detail
