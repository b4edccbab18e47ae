#pragma once
// What a SymbolicModel runs and prints: its nodes in one order, each with what it reads.

#include <unordered_map>
#include "../layers/clone_scope.h"

#include "../layers/module.h"
#include "symbolic.h"

namespace reprise::detail {

/// Where an argument comes from: a node of the plan, or a constant of the call.
struct Source {
  static constexpr size_t kConstant = SIZE_MAX;
  size_t value = kConstant;
  Tensor constant;
};

/// One call; it writes `outputs` (nodes nobody needs are written all the same).
struct Step {
  std::shared_ptr<Callable> callable;
  std::string name;  ///< "Conv2d_3"; empty for a part of a plan, whose steps have names
  std::vector<Source> arguments;
  std::vector<size_t> outputs;      ///< values by output of the call; SIZE_MAX when not needed
  std::vector<size_t> last_use_of;  ///< values that no later step reads
};

/// A row of the summary: an input or a needed output of a step.
struct Value {
  std::string name;
  std::string type;  ///< "(None, 8, 28, 28)", "std::set<int>"
  Meta meta;
  const BoxType* boxed = nullptr;  ///< the type of a value that is no tensor
  nn::Module* module = nullptr;    ///< null for inputs and functions
  std::vector<size_t> parents;
  uint64_t node = 0;  ///< SymbolicNode::sequence: which value of the graph it is
};

struct ReplayPlan {
  std::vector<Value> values;  ///< inputs first
  std::vector<Step> steps;
  std::vector<size_t> outputs;
  size_t input_count = 0;
  bool is_part = false;  ///< its inputs were made by other steps: not what a user has to keep to
};

/// The names of calls, as a model's first plan gave them.
using CallNames = std::unordered_map<const SymbolicCall*, std::string>;

/// Graph error naming the node when an output needs an Input that was not given.
/// Calls that are in `names` keep theirs; the others are put in.
ReplayPlan make_replay_plan(const Tensors& inputs, const Tensors& outputs,
                            CallNames* names = nullptr);

/// The same steps on clones of their layers, functions and constants.
ReplayPlan clone(const ReplayPlan& plan, nn::detail::CloneScope& scope);

/// A value is let go after the last step that reads or makes it, unless it is an output.
void find_last_uses(ReplayPlan& plan);

/// Value error when a step gave fewer outputs than while the graph was built.
void check_outputs(const Step& step, const Tensors& out);
/// Value, Shape and DType errors that name the input.
void check_inputs(const ReplayPlan& plan, std::span<const Tensor> in);
/// Runs it layer by layer. The errors of check_inputs; those of layers name the layer. `step`, when
/// given, always holds the number of the step that runs.
Tensors replay(const ReplayPlan& plan, std::span<const Tensor> in, size_t* step = nullptr);

}  // namespace reprise::detail
