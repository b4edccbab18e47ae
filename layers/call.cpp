// How a module runs: hooks around forward, and the path to it in front of an error.

#include <algorithm>

#include "module.h"

namespace reprise::nn {

Tensors Module::call(std::span<const Tensor> in) {
  if (std::ranges::any_of(in, &Tensor::is_symbolic)) [[unlikely]] {
    return call_symbolic(share(), in);
  }
  const detail::Scope scope(registered_name());
  try {
    return has_hooks() ? call_with_hooks(in) : forward_tensors(in);
  } catch (Error& error) {
    locate(error);  // an unregistered module is named by whoever calls it
    throw;
  }
}

Tensors Module::call_with_hooks(std::span<const Tensor> in) {
  const auto before = state_->pre_hooks;  // copies: a hook may take itself off
  Tensors inputs(in);
  for (const auto& [id, hook] : before) hook(*this, inputs);
  Tensors outputs = forward_tensors(inputs);
  const auto after = state_->hooks;
  for (const auto& [id, hook] : after) hook(*this, inputs, outputs);
  return outputs;
}

void Module::locate(Error& error) const {
  if (!state_->registered_name.empty()) error.prepend(state_->registered_name);
}

HookHandle Module::register_forward_pre_hook(ForwardPreHook hook) {
  const int64_t id = state_->next_hook++;
  state_->pre_hooks.emplace_back(id, std::move(hook));
  return {state_, id};
}

HookHandle Module::register_forward_hook(ForwardHook hook) {
  const int64_t id = state_->next_hook++;
  state_->hooks.emplace_back(id, std::move(hook));
  return {state_, id};
}

void HookHandle::remove() {
  const auto state = state_.lock();
  if (state == nullptr) return;
  const auto mine = [&](const auto& hook) { return hook.first == id_; };
  std::erase_if(state->pre_hooks, mine);
  std::erase_if(state->hooks, mine);
}

}  // namespace reprise::nn
