#include "module.h"

#include <algorithm>
#include <unordered_set>

#include "../autograd/tape.h"

namespace reprise::nn {
namespace {

std::string join(const std::string& prefix, const std::string& name) {
  if (prefix.empty()) return name;
  return name.empty() ? prefix : prefix + "." + name;
}

/// Lists what `own` gives of each module, each tensor once.
template <class Own>
NamedTensors collect(const Module& root, const std::string& prefix, bool recurse, Own own) {
  NamedTensors out;
  std::unordered_set<const TensorImpl*> seen;
  const auto visit = [&](const auto& self, const Module& module, const std::string& path) -> void {
    for (const auto& [name, tensor] : own(module)) {
      if (seen.insert(tensor.ref().get()).second) out.emplace_back(join(path, name), tensor);
    }
    if (!recurse) return;
    for (const auto& [name, child] : module.children()) self(self, *child, join(path, name));
  };
  visit(visit, root, prefix);
  return out;
}

std::vector<Tensor> values(const NamedTensors& named) {
  std::vector<Tensor> out;
  out.reserve(named.size());
  for (const auto& [name, tensor] : named) out.push_back(tensor);
  return out;
}

/// Makes all handles on `target` see other data.
void rebind(const Tensor& target, const Tensor& source) {
  target.impl().meta = source.meta();
  target.impl().offset = source.impl().offset;
  target.impl().storage = source.impl().storage;
}

template <class Where>
void move_all(const std::vector<Tensor>& tensors, Where where) {
  NoGradGuard no_grad;
  for (const Tensor& tensor : tensors) {
    rebind(tensor, tensor.detach().to(where));
    if (tensor.grad().defined()) rebind(tensor.grad(), tensor.grad().detach().to(where));
  }
}

}  // namespace

void Module::check_name(const std::string& name) const {
  check(!name.empty() && name.find('.') == std::string::npos, ErrorKind::Value, this->name(),
        ": expected a name without dots, got \"", name, '"');
  const auto same = [&](const auto& entry) { return entry.first == name; };
  check(std::ranges::none_of(state_->parameters, same) &&
            std::ranges::none_of(state_->buffers, same) &&
            std::ranges::none_of(state_->children, same),
        ErrorKind::Value, this->name(), ": the name \"", name, "\" is already taken");
}

Registered Module::register_parameter(const std::string& name, Tensor tensor) {
  check_name(name);
  if (!tensor.defined()) return {};
  check(is_floating_point(tensor.dtype()), ErrorKind::DType, this->name(),
        ": expected parameter \"", name, "\" of a floating-point dtype, got ", tensor.dtype());
  check(tensor.is_leaf(), ErrorKind::Autograd, this->name(), ": expected a leaf as parameter \"",
        name, "\", got the result of an op");
  tensor.requires_grad_();
  state_->parameters.emplace_back(name, tensor);
  return {std::move(tensor), state_.get()};
}

Registered Module::register_buffer(const std::string& name, Tensor tensor) {
  check_name(name);
  if (!tensor.defined()) return {};
  state_->buffers.emplace_back(name, tensor);
  return {std::move(tensor), state_.get()};
}

void Module::register_module(const std::string& name, const std::shared_ptr<Module>& child) {
  add_child(name, child);
  child->state_->registered_name = name;
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> child) {
  check_name(name);
  check(child != nullptr, ErrorKind::Value, this->name(), ": expected a module for \"", name,
        "\", got none");
  child->apply([&](const Module& below) {
    check(!below.shares_state_with(*this), ErrorKind::Value, this->name(),
          ": a module cannot be registered below itself (as \"", name, "\")");
  });
  state_->children.emplace_back(name, std::move(child));
}

NamedTensors Module::named_parameters(const std::string& prefix, bool recurse) const {
  const auto own = [](const Module& m) -> const NamedTensors& { return m.state_->parameters; };
  return collect(*this, prefix, recurse, own);
}

NamedTensors Module::named_buffers(const std::string& prefix, bool recurse) const {
  const auto own = [](const Module& m) -> const NamedTensors& { return m.state_->buffers; };
  return collect(*this, prefix, recurse, own);
}

std::vector<Tensor> Module::parameters(bool recurse) const {
  return values(named_parameters("", recurse));
}

std::vector<Tensor> Module::buffers(bool recurse) const {
  return values(named_buffers("", recurse));
}

NamedModules Module::named_modules(const std::string& prefix) const {
  NamedModules out;
  std::unordered_set<const detail::ModuleState*> seen;
  const auto visit = [&](const auto& self, const std::shared_ptr<Module>& module,
                         const std::string& path) -> void {
    if (!seen.insert(module->state_.get()).second) return;
    out.emplace_back(path, module);
    for (const auto& [name, child] : module->children()) self(self, child, join(path, name));
  };
  visit(visit, share(), prefix);
  return out;
}

int64_t Module::num_parameters() const {
  int64_t count = 0;
  for (const Tensor& parameter : parameters()) count += parameter.numel();
  return count;
}

void Module::train(bool on) {
  state_->training = on;
  for (const auto& [name, child] : state_->children) child->train(on);
}

void Module::requires_grad_(bool on) {
  for (Tensor& parameter : parameters()) parameter.requires_grad_(on);
}

void Module::zero_grad() {
  for (const Tensor& parameter : parameters()) parameter.set_grad({});
}

void Module::to(DType dtype) {
  check(is_floating_point(dtype), ErrorKind::DType, name(),
        ": expected a floating-point dtype to convert to, got ", dtype);
  std::vector<Tensor> floating = buffers();
  std::erase_if(floating, [](const Tensor& t) { return !is_floating_point(t.dtype()); });
  move_all(parameters(), dtype);
  move_all(floating, dtype);
}

void Module::to(Device device) {
  move_all(parameters(), device);
  move_all(buffers(), device);
}

void Module::to(MemoryFormat format) {
  const auto is_image = [](const Tensor& t) { return t.dim() == 4; };
  for (std::vector<Tensor> tensors : {parameters(), buffers()}) {
    std::erase_if(tensors, std::not_fn(is_image));
    move_all(tensors, format);
  }
}

void Module::apply(const std::function<void(Module&)>& f) {
  for (const auto& [name, child] : state_->children) child->apply(f);
  f(*this);
}

}  // namespace reprise::nn
