#include "clone_scope.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "module.h"

namespace reprise::nn {
namespace detail {
namespace {

constinit thread_local CloneScope* current_scope = nullptr;

/// A leaf of the same values. The gradient and its hooks stay behind.
Tensor copy_of(const Tensor& original) {
  const NoGradGuard no_grad;
  Tensor twin = original.detach().clone();
  twin.requires_grad_(original.requires_grad());
  return twin;
}

}  // namespace

CloneScope::CloneScope() : before_(std::exchange(current_scope, this)) {}
CloneScope::~CloneScope() { current_scope = before_; }
CloneScope* CloneScope::current() { return current_scope; }

Tensor CloneScope::tensor(const Tensor& original) {
  if (!original.defined()) return {};
  auto& [kept, twin] = tensors_[original.ref().get()];
  if (!twin.defined()) {
    twin = copy_of(original);
    kept = original;
  }
  return twin;
}

Registered CloneScope::registered(const Registered& original) {
  const auto owner = states_.find(original.owner_);
  if (owner == states_.end()) return {tensor(original), original.owner_};
  owner->second.followed.push_back(original.ref().get());
  return {tensor(original), owner->second.twin.get()};
}

std::shared_ptr<Callable> CloneScope::callable(const Callable& original) {
  auto& twin = callables_[&original];
  if (twin == nullptr) twin = original.copy();
  return twin;
}

std::shared_ptr<ModuleState> CloneScope::state(const Module& original) {
  const auto [at, is_new] = states_.try_emplace(original.state_.get());
  State& state = at->second;
  if (is_new) {
    state.original = original.state_;
    state.twin = std::make_shared<ModuleState>();
    state.type = &typeid(original);
    fill(state);
  }
  return state.twin;
}

void CloneScope::fill(State& state) {
  const ModuleState& original = *state.original;
  ModuleState& twin = *state.twin;
  for (const auto& [name, t] : original.parameters) twin.parameters.emplace_back(name, tensor(t));
  for (const auto& [name, t] : original.buffers) twin.buffers.emplace_back(name, tensor(t));
  for (const auto& [name, child] : original.children) {
    state.holders.push_back(child.use_count());
    twin.children.emplace_back(name, std::static_pointer_cast<Module>(callable(*child)));
  }
  twin.registered_name = original.registered_name;
  twin.training = original.training;
  twin.next_hook = original.next_hook;
  twin.pre_hooks = original.pre_hooks;
  twin.hooks = original.hooks;
}

void CloneScope::finish(const Module& twin) const {
  for (const auto& [original, state] : states_) {
    check_tensors(state);
    check_children(state);
  }
  twin.state_->registered_name.clear();
}

/// A registered tensor of which no Registered was copied is kept in another way, which the copy of
/// the layer shares.
void CloneScope::check_tensors(const State& state) {
  const auto check_all = [&](const NamedTensors& tensors, std::string_view kind,
                             std::string_view type) {
    for (const auto& [name, tensor] : tensors) {
      if (std::ranges::find(state.followed, tensor.ref().get()) != state.followed.end()) continue;
      fail(ErrorKind::Value, type_name(*state.type), ": cannot be cloned, since its ", kind, " \"",
           name, "\" would stay that of the original; keep it as nn::", type, ' ', name,
           " = register_", kind, "(\"", name, "\", ...)");
    }
  };
  check_all(state.original->parameters, "parameter", "Parameter");
  check_all(state.original->buffers, "buffer", "Buffer");
}

/// A child that got another owner while it was cloned is a member by pointer, which was copied.
/// Those that are registered nowhere (of a SymbolicModel) are no members; and one that only its
/// parent owned cannot have been, whatever other threads do with it.
void CloneScope::check_children(const State& state) {
  for (size_t i = 0; i < state.holders.size(); ++i) {
    const auto& [name, child] = state.original->children[i];
    if (child->registered_name() != name || state.holders[i] == 1) continue;
    if (child.use_count() <= state.holders[i]) continue;
    fail(ErrorKind::Value, type_name(*state.type), ": cannot be cloned, since its module \"", name,
         "\", held by a pointer, would stay that of the original; keep it by value, or reach it "
         "through children()");
  }
}

}  // namespace detail

Registered::Registered(const Registered& other) : Tensor(other), owner_(other.owner_) {
  if (detail::CloneScope* scope = detail::CloneScope::current()) *this = scope->registered(other);
}

Module::Module(const Module& other) : Callable(other) { *this = other; }

Module& Module::operator=(const Module& other) {
  detail::CloneScope* scope = detail::CloneScope::current();
  state_ = scope == nullptr ? other.state_ : scope->state(other);
  return *this;
}

std::shared_ptr<Module> Module::clone() const {
  detail::CloneScope scope;
  std::shared_ptr<Module> twin = share();
  scope.finish(*twin);
  return twin;
}

}  // namespace reprise::nn
