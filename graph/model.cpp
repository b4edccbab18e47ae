#include "model.h"

#include "replay_plan.h"

namespace reprise {
namespace {

void check_input(size_t i, const Meta& expected, const Tensor& got) {
  bool fits = got.dim() == expected.dim() && got.dtype() == expected.dtype;
  for (size_t d = 0; fits && d < expected.shape.size(); ++d) {
    fits = expected.shape[d] == kUnknown || expected.shape[d] == got.shape()[d];
  }
  if (fits) return;
  fail(got.dtype() == expected.dtype ? ErrorKind::Shape : ErrorKind::DType, "expected input ", i,
       " of ", expected.dtype, " ", shape_text(expected.shape), ", got ", got.dtype(), " ",
       shape_text(got.shape()));
}

Tensors run_step(const detail::Step& step, std::span<const Tensor> values) {
  SmallVector<Tensor, 4> arguments;
  for (const detail::Source& source : step.arguments) {
    const bool constant = source.value == detail::Source::kConstant;
    arguments.push_back(constant ? source.constant : values[source.value]);
  }
  try {
    return step.callable->call(arguments);
  } catch (Error& error) {
    error.prepend(step.name);
    throw;
  }
}

bool is_registered(const nn::Module& model, const nn::Module& layer) {
  for (const auto& [name, child] : model.children()) {
    if (child->shares_state_with(layer)) return true;
  }
  return false;
}

std::vector<Shape> shapes_of(const detail::ReplayPlan& plan, std::span<const size_t> which) {
  std::vector<Shape> out;
  for (size_t i : which) out.push_back(plan.values[i].meta.shape);
  return out;
}

Shape only(std::string_view what, const std::vector<Shape>& shapes) {
  check(shapes.size() == 1, ErrorKind::Graph, "SymbolicModel: ", what, "_shape is for one ", what,
        ", this model has ", shapes.size(), "; use ", what, "_shapes");
  return shapes.front();
}

}  // namespace

SymbolicModel::SymbolicModel(const SymbolicTensors& inputs, const SymbolicTensors& outputs)
    : plan_(std::make_shared<detail::ReplayPlan>(detail::make_replay_plan(inputs, outputs))) {
  for (const detail::Step& step : plan_->steps) {
    auto layer = std::dynamic_pointer_cast<nn::Module>(step.callable);
    if (layer && !is_registered(*this, *layer)) add_child(step.name, std::move(layer));
  }
}

Tensors SymbolicModel::forward(const Tensors& in) const {
  const detail::ReplayPlan& plan = *plan_;
  check(in.size() == plan.input_count, ErrorKind::Value, "expected ", plan.input_count,
        " inputs, got ", in.size());
  std::vector<Tensor> values(plan.values.size());
  for (size_t i = 0; i < in.size(); ++i) {
    check_input(i, plan.values[i].meta, in[i]);
    values[i] = in[i];
  }
  for (const detail::Step& step : plan.steps) {
    Tensors out = run_step(step, values);
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] != SIZE_MAX) values[step.outputs[i]] = std::move(out[i]);
    }
    for (size_t value : step.last_use_of) values[value] = Tensor();
  }
  Tensors out;
  for (size_t value : plan.outputs) out.push_back(values[value]);
  return out;
}

size_t SymbolicModel::num_inputs() const { return plan_->input_count; }
size_t SymbolicModel::num_outputs() const { return plan_->outputs.size(); }

Shape SymbolicModel::input_shape() const { return only("input", input_shapes()); }
Shape SymbolicModel::output_shape() const { return only("output", output_shapes()); }

std::vector<Shape> SymbolicModel::input_shapes() const {
  std::vector<size_t> which(plan_->input_count);
  for (size_t i = 0; i < which.size(); ++i) which[i] = i;
  return shapes_of(*plan_, which);
}

std::vector<Shape> SymbolicModel::output_shapes() const {
  return shapes_of(*plan_, plan_->outputs);
}

void SymbolicModel::check_single_output() const {
  check(num_outputs() == 1, ErrorKind::Graph, "SymbolicModel: this model has ", num_outputs(),
        " outputs; use model.outputs(x)");
}

}  // namespace reprise
