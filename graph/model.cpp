#include "model.h"

#include <algorithm>
#include <unordered_set>

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

/// What all handles on one model share.
struct detail::ModelState {
  Tensors inputs, outputs;  ///< symbols; none after detach_from_graph
  CallNames names;
  std::shared_ptr<const ReplayPlan> plan;
  std::shared_ptr<CompiledModel> compiled;
};

SymbolicModel::SymbolicModel(const SymbolicTensors& inputs, const SymbolicTensors& outputs)
    : model_(std::make_shared<detail::ModelState>()) {
  detail::CallNames names;
  const auto plan =
      std::make_shared<detail::ReplayPlan>(detail::make_replay_plan(inputs, outputs, &names));
  *model_ = {inputs, outputs, names, plan, std::make_shared<detail::CompiledModel>(plan)};
  register_layers();
}

SymbolicModel::SymbolicModel(const SymbolicModel& other) : Layer(other), model_(other.model_) {
  auto* scope = nn::detail::CloneScope::current();
  if (scope == nullptr) return;
  model_ = scope->once(other.model_, [&] {
    const auto plan = std::make_shared<detail::ReplayPlan>(detail::clone(other.plan(), *scope));
    const auto compiled = std::make_shared<detail::CompiledModel>(plan);
    return std::make_shared<detail::ModelState>(detail::ModelState{{}, {}, {}, plan, compiled});
  });
}

void SymbolicModel::register_layers() {
  for (const detail::Step& step : plan().steps) {
    auto layer = std::dynamic_pointer_cast<nn::Module>(step.callable);
    if (layer && !is_registered(*this, *layer)) add_child(step.name, std::move(layer));
  }
}

void SymbolicModel::add_output(const AnySymbolic& output) {
  check(!model_->inputs.empty(), ErrorKind::Graph,
        "SymbolicModel::add_output: this model was detached from its graph");
  Tensors outputs = model_->outputs;
  outputs.push_back(output.node);
  detail::CallNames names = model_->names;
  const auto plan = std::make_shared<detail::ReplayPlan>(
      detail::make_replay_plan(model_->inputs, outputs, &names));
  for (const detail::Step& step : plan->steps) {
    const auto* layer = dynamic_cast<const nn::Module*>(step.callable.get());
    if (layer == nullptr) continue;
    for (const auto& [name, part] : layer->named_modules()) {
      check(!part->shares_state_with(*this), ErrorKind::Graph,
            "SymbolicModel::add_output: ", step.name, " is this model or has it inside");
    }
  }
  auto compiled = std::make_shared<detail::CompiledModel>(plan);
  model_->outputs = outputs;
  model_->names = std::move(names);
  model_->plan = plan;
  std::swap(model_->compiled, compiled);
  register_layers();
  if (compiled->is_compiled()) compile(compiled->options());
}

Tensor SymbolicModel::node(const std::string& name) const {
  check(!model_->inputs.empty(), ErrorKind::Graph,
        "SymbolicModel::node: this model was detached from its graph");
  const auto& values = plan().values;
  const auto row = std::ranges::find(values, name, &detail::Value::name);
  if (row == values.end()) {
    std::string names;
    for (const detail::Value& value : values) names += text(names.empty() ? "" : ", ", value.name);
    fail(ErrorKind::Graph, "SymbolicModel::node: expected one of ", names, ", got ", name);
  }
  for (const Tensor& input : model_->inputs) {
    if (node_of("", input).sequence() == row->node) return input;
  }
  std::vector<Tensor> open(model_->outputs.begin(), model_->outputs.end());
  std::unordered_set<uint64_t> seen;
  while (true) {
    const Tensor x = std::move(open.back());
    open.pop_back();
    const uint64_t sequence = node_of("", x).sequence();
    if (sequence == row->node) return x;
    if (!seen.insert(sequence).second) continue;
    for (Tensor& parent : parents(x)) open.push_back(std::move(parent));
  }
}

Tensors SymbolicModel::forward(const Tensors& in) const {
  if (auto out = model_->compiled->call(in)) return *std::move(out);
  return detail::replay(plan(), in);
}

Tensors SymbolicModel::call_values(const Tensors& in) const {
  try {
    return SymbolicModel(*this).Module::call(in);
  } catch (Error& error) {
    if (!error.has_path()) error.prepend(name());
    throw;
  }
}

void SymbolicModel::compile(const ModelCompileOptions& options) {
  model_->compiled->compile(*this, options);
}
void SymbolicModel::decompile() { model_->compiled->decompile(); }
bool SymbolicModel::is_compiled() const { return model_->compiled->is_compiled(); }
std::string SymbolicModel::compile_report() const { return model_->compiled->report(); }

const detail::ReplayPlan& SymbolicModel::plan() const { return *model_->plan; }

size_t SymbolicModel::num_inputs() const { return plan().input_count; }
size_t SymbolicModel::num_outputs() const { return plan().outputs.size(); }

Shape SymbolicModel::input_shape() const { return only("input", input_shapes()); }
Shape SymbolicModel::output_shape() const { return only("output", output_shapes()); }

std::vector<Shape> SymbolicModel::input_shapes() const {
  std::vector<size_t> which(plan().input_count);
  for (size_t i = 0; i < which.size(); ++i) which[i] = i;
  return shapes_of(plan(), which);
}

std::vector<Shape> SymbolicModel::output_shapes() const {
  return shapes_of(plan(), plan().outputs);
}

void SymbolicModel::check_single_output() const {
  check(num_outputs() == 1, ErrorKind::Graph, "SymbolicModel: this model has ", num_outputs(),
        " outputs; use model.outputs(x)");
  const detail::Value& output = plan().values[plan().outputs.front()];
  check(output.boxed == nullptr, ErrorKind::DType, "SymbolicModel: the output is of type ",
        output.type, "; use model.call<", output.type, ">(x)");
}

}  // namespace reprise
