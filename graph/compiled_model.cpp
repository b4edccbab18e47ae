#include "compiled_model.h"

#include <algorithm>

#include "../autograd/record.h"
#include "../autograd/tape.h"
#include "../core/dispatch.h"
#include "passes/passes.h"
#include "split_plan.h"

namespace reprise::detail {
namespace {

bool alike(const Meta& a, const Meta& b) {
  return a.dtype == b.dtype && a.device == b.device && a.shape == b.shape && same_layout(a, b);
}

/// Whether `a` has the sizes of `b` but for a batch that is no larger.
bool smaller_batch(const Meta& a, const Meta& b) {
  if (a.dtype != b.dtype || a.device != b.device || a.shape.size() != b.shape.size()) return false;
  for (size_t d = 0; d < a.shape.size(); ++d) {
    if (d == 0 ? a.shape[0] > b.shape[0] : a.shape[d] != b.shape[d]) return false;
  }
  return true;
}

void check_writes_no_input(const Graph& graph) {
  for (const Update& update : graph.updates) {
    check(std::ranges::find(graph.inputs, update.root) == graph.inputs.end(), ErrorKind::Graph,
          "an input is written in place");
  }
}

}  // namespace

CompiledModel::Part::Part(ReplayPlan plan, const CompiledModel& whole)
    : plan_(std::make_shared<ReplayPlan>(std::move(plan))), compiled_(plan_) {
  compiled_.options_ = whole.options_;
  compiled_.modules_ = whole.modules_;
  compiled_.tensors_ = whole.tensors_;
  compiled_.on_ = true;
}

Tensors CompiledModel::Part::call(std::span<const Tensor> in) {
  if (auto out = compiled_.call(in)) return *std::move(out);
  return replay(*plan_, in);
}

std::shared_ptr<Callable> CompiledModel::Part::copy() const {
  fail(ErrorKind::Internal,
       "internal error in Reprise: what was compiled is made anew, not copied");
}

CompiledModel::CompiledModel(std::shared_ptr<const ReplayPlan> plan) : plan_(std::move(plan)) {}

void CompiledModel::compile(const nn::Module& model, const ModelCompileOptions& options) {
  check(interpreter() == nullptr, ErrorKind::Graph, "SymbolicModel: cannot compile in a trace");
  const TryLock lock(*busy_);
  check(static_cast<bool>(lock), ErrorKind::Graph, "SymbolicModel: another thread runs it");
  const size_t ready = options.batch_sizes.size() * (options.train ? 2 : 1);
  check(options.max_programs >= std::max<size_t>(ready, 1), ErrorKind::Value,
        "SymbolicModel: expected max_programs of at least ", std::max<size_t>(ready, 1), ", got ",
        options.max_programs);
  for (int64_t batch : options.batch_sizes) {
    check(batch > 0, ErrorKind::Value, "SymbolicModel: expected batch sizes > 0, got ", batch);
  }
  optimize(Graph(), options.compile.passes);  // refuses names of passes that are none
  clear();
  options_ = options;
  if (options_.compile.names.empty()) options_.compile.names = model.state_dict();
  for (const auto& [name, module] : model.named_modules()) {
    if (!module->shares_state_with(model)) modules_.push_back(module);
  }
  tensors_ = model.parameters();
  for (const Tensor& buffer : model.buffers()) tensors_.push_back(buffer);
  for (const Step& step : plan_->steps) {
    for (const Source& source : step.arguments) {
      if (source.value == Source::kConstant && source.constant.has_data()) {
        tensors_.push_back(source.constant);
      }
    }
  }
  on_.store(true, std::memory_order_release);
  if (const auto host = host_steps(*plan_); !host.empty()) return split(*host.begin());
  std::ranges::sort(options_.batch_sizes, std::greater());  // the first one makes the arena
  for (int64_t batch : options_.batch_sizes) {
    if (split_) return;
    prepare(batch, false);
    if (options_.train) prepare(batch, true);
  }
}

void CompiledModel::decompile() {
  const TryLock lock(*busy_);
  check(static_cast<bool>(lock), ErrorKind::Graph, "SymbolicModel: another thread runs it");
  on_.store(false, std::memory_order_release);
  clear();
}

void CompiledModel::split(size_t at) {
  std::set<size_t> host = host_steps(*plan_);
  host.insert(at);
  split_ = std::make_shared<ReplayPlan>(split_plan(*plan_, host, [this](ReplayPlan part) {
    return std::make_shared<Part>(std::move(part), *this);
  }));
  entries_.clear();
  fallbacks_.clear();
}

void CompiledModel::clear() {
  split_.reset();
  entries_.clear();
  fallbacks_.clear();
  modules_.clear();
  tensors_.clear();
}

void CompiledModel::prepare(int64_t batch, bool grad) {
  const Device device = tensors_.empty() ? Device::cpu() : tensors_.front().device();
  std::vector<CallKey::InputKey> inputs;
  for (size_t i = 0; i < plan_->input_count; ++i) {
    Shape shape = plan_->values[i].meta.shape;
    if (!shape.empty() && shape[0] == kUnknown) shape[0] = batch;
    inputs.push_back({Meta(shape, plan_->values[i].meta.dtype, device), false});
  }
  CallKey key = make_key(std::move(inputs), grad);
  const auto same = [&](const auto& entry) {  // a model of known batch size
    return entry->key.grad == grad &&
           std::ranges::equal(entry->key.inputs, key.inputs, alike, &CallKey::InputKey::meta,
                              &CallKey::InputKey::meta);
  };
  if (std::ranges::none_of(entries_, same) && std::ranges::none_of(fallbacks_, same)) {
    add(std::move(key));
  }
}

const nn::Module* CompiledModel::hooked() const {
  for (const auto& module : modules_) {
    if (module->has_hooks()) return module.get();
  }
  return nullptr;
}

std::optional<Tensors> CompiledModel::call(std::span<const Tensor> in) {
  if (!is_compiled() || interpreter() != nullptr) return {};
  for (const Tensor& x : in) {
    if (!x.has_data()) return {};
  }
  std::shared_ptr<const ReplayPlan> split;
  {
    const TryLock lock(*busy_);
    if (!lock || !is_compiled() || hooked() != nullptr) return {};
    CallEntry* entry = split_ ? nullptr : find_or_make(in);
    if (entry != nullptr && entry->gradient) return entry->gradient->forward(in);
    if (entry != nullptr && entry->inference) return entry->inference->call(in);
    if (entry != nullptr) return {};
    split = split_;
  }
  return replay(*split, in);
}

CallKey CompiledModel::make_key(std::vector<CallKey::InputKey> inputs, bool grad) const {
  CallKey key{grad, autocast_state(), std::move(inputs), {}, {}, {}};
  for (const auto& module : modules_) key.training.push_back(module->is_training());
  for (const Tensor& t : tensors_) {
    if (grad) key.requires_grad.push_back(tracked(t.impl()));
    key.storages.push_back(t.impl().storage);
  }
  return key;
}

bool CompiledModel::matches(const CallKey& key, std::span<const Tensor> in, bool grad) const {
  if (key.grad != grad || key.autocast != autocast_state() || key.inputs.size() != in.size()) {
    return false;
  }
  for (size_t i = 0; i < in.size(); ++i) {
    if (!alike(key.inputs[i].meta, in[i].meta())) return false;
    if (grad && key.inputs[i].requires_grad != in[i].requires_grad()) return false;
  }
  for (size_t i = 0; i < modules_.size(); ++i) {
    if (key.training[i] != modules_[i]->is_training()) return false;
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const TensorImpl& t = tensors_[i].impl();
    if (key.storages[i] != t.storage || (grad && key.requires_grad[i] != tracked(t))) return false;
  }
  return true;
}

CallEntry* CompiledModel::find_or_make(std::span<const Tensor> in) {
  const bool grad = grad_enabled();
  for (Entries* list : {&entries_, &fallbacks_}) {
    for (size_t i = 0; i < list->size(); ++i) {
      if (!matches((*list)[i]->key, in, grad)) continue;
      std::rotate(list->begin(), list->begin() + static_cast<ptrdiff_t>(i),
                  list->begin() + static_cast<ptrdiff_t>(i) + 1);
      return list->front().get();
    }
  }
  check_inputs(*plan_, in);
  std::vector<CallKey::InputKey> inputs;
  for (const Tensor& x : in) inputs.push_back({x.meta(), grad && x.requires_grad()});
  return add(make_key(std::move(inputs), grad));
}

/// Drops what was made for parameters that have other storage by now.
void CompiledModel::drop_stale() {
  const auto is_stale = [&](const auto& entry) {
    const auto same = [](const Tensor& t, const Ref<Storage>& s) { return t.impl().storage == s; };
    return !std::ranges::equal(tensors_, entry->key.storages, same);
  };
  std::erase_if(entries_, is_stale);
  std::erase_if(fallbacks_, is_stale);
}

CallEntry* CompiledModel::add(CallKey key) {
  drop_stale();
  auto entry = std::make_unique<CallEntry>(CallEntry{std::move(key)});
  size_t step = plan_->steps.size();
  try {
    make(*entry, step);
  } catch (const Error& error) {
    const bool of_model =
        error.kind() != ErrorKind::Internal && error.kind() != ErrorKind::OutOfMemory;
    if (!of_model || error.is_late()) throw;
    if (error.kind() == ErrorKind::Graph && step < plan_->steps.size() && plan_->steps.size() > 1) {
      split(step);
      return nullptr;
    }
    entry->reason = error.what();
  }
  Entries& list = entry->reason.empty() ? entries_ : fallbacks_;
  list.insert(list.begin(), std::move(entry));
  if (list.size() > options_.max_programs) list.pop_back();
  return list.front().get();
}

void CompiledModel::make(CallEntry& entry, size_t& step) const {
  const GradModeGuard mode(entry.key.grad);
  std::vector<Example> examples;
  for (const auto& [meta, requires_grad] : entry.key.inputs) {
    Example& example = examples.emplace_back(meta_tensor(meta));
    example.meta.device = meta.device;
    example.requires_grad = requires_grad;
  }
  const Traceable f = [&](const Tensors& in) { return replay(*plan_, in, &step); };
  const TraceOptions trace_options{.names = options_.compile.names};
  GradientGraphs graphs;
  if (entry.key.grad) {
    graphs = trace_gradients(f, examples, trace_options);
  } else {
    graphs.forward = trace(f, examples, trace_options);
  }
  check_writes_no_input(graphs.forward);
  const CallEntry* larger = larger_than(entry.key);
  if (!graphs.differentiable.empty()) {
    entry.gradient = std::make_shared<CompiledGradient>(std::move(graphs), options_.compile, busy_,
                                                        larger ? larger->gradient.get() : nullptr);
  } else if (larger != nullptr && larger->inference) {
    entry.inference.emplace(std::move(graphs.forward), options_.compile, *larger->inference);
  } else {
    entry.inference.emplace(std::move(graphs.forward), options_.compile);
  }
}

/// A program for the same inputs in a larger batch.
const CallEntry* CompiledModel::larger_than(const CallKey& key) const {
  for (const auto& entry : entries_) {
    const CallKey& other = entry->key;
    if (key.grad != other.grad || key.autocast != other.autocast ||
        key.training != other.training || key.requires_grad != other.requires_grad ||
        key.storages != other.storages || key.inputs.size() != other.inputs.size()) {
      continue;
    }
    const auto fits = [](const CallKey::InputKey& a, const CallKey::InputKey& b) {
      return a.requires_grad == b.requires_grad && smaller_batch(a.meta, b.meta);
    };
    if (std::ranges::equal(key.inputs, other.inputs, fits)) return entry.get();
  }
  return nullptr;
}

}  // namespace reprise::detail
