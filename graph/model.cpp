#include "model.h"

#include "compiled_model.h"

namespace reprise {
namespace {

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
    : plan_(std::make_shared<detail::ReplayPlan>(detail::make_replay_plan(inputs, outputs))),
      compiled_(std::make_shared<detail::CompiledModel>(plan_)) {
  for (const detail::Step& step : plan_->steps) {
    auto layer = std::dynamic_pointer_cast<nn::Module>(step.callable);
    if (layer && !is_registered(*this, *layer)) add_child(step.name, std::move(layer));
  }
}

Tensors SymbolicModel::forward(const Tensors& in) const {
  if (auto out = compiled_->call(in)) return *std::move(out);
  return detail::replay(*plan_, in);
}

void SymbolicModel::compile(const ModelCompileOptions& options) {
  compiled_->compile(*this, options);
}
void SymbolicModel::decompile() { compiled_->decompile(); }
bool SymbolicModel::is_compiled() const { return compiled_->is_compiled(); }
std::string SymbolicModel::compile_report() const { return compiled_->report(); }

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
