// state_dict and load_state_dict: the state of a module as a flat list of named tensors.

#include <map>

#include "../autograd/tape.h"
#include "module.h"

namespace reprise::nn {
namespace {

void append_state(const Module& module, const std::string& prefix, NamedTensors& out) {
  for (const auto& [name, tensor] : module.named_parameters(prefix, false)) {
    out.emplace_back(name, tensor.detach());
  }
  for (const auto& [name, tensor] : module.named_buffers(prefix, false)) {
    out.emplace_back(name, tensor.detach());
  }
  for (const auto& [name, child] : module.children()) {
    append_state(*child, prefix.empty() ? name : prefix + "." + name, out);
  }
}

/// "; missing: a, b" or nothing.
std::string listed(std::string_view title, const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? out : text("; ", title, ": ", out);
}

/// Which value goes into which tensor of a module, and all that does not fit.
struct Plan {
  std::vector<std::pair<Tensor, Tensor>> copies;
  LoadResult left;
  std::vector<std::string> misshapen;

  Plan(const NamedTensors& state, const NamedTensors& values) {
    std::map<std::string_view, Tensor> by_name(values.begin(), values.end());
    for (const auto& [name, target] : state) {
      const auto found = by_name.find(name);
      if (found == by_name.end()) {
        left.missing.push_back(name);
        continue;
      }
      add(name, target, found->second);
      by_name.erase(found);
    }
    for (const auto& [name, value] : by_name) left.unexpected.emplace_back(name);
  }

  void add(const std::string& name, const Tensor& target, const Tensor& value) {
    if (value.defined() && value.shape() == target.shape()) {
      copies.emplace_back(target, value);
    } else {
      misshapen.push_back(text(name, " (expected ", target.shape(), ", got ",
                               value.defined() ? to_string(value.shape()) : "none", ")"));
    }
  }
};

}  // namespace

NamedTensors Module::state_dict() const {
  NamedTensors out;
  append_state(*this, "", out);
  return out;
}

LoadResult Module::load_state_dict(const NamedTensors& values, bool strict) {
  Plan plan(state_dict(), values);
  std::string faults = listed("wrong shape", plan.misshapen);
  if (strict) {
    faults += listed("missing", plan.left.missing) + listed("unexpected", plan.left.unexpected);
  }
  check(faults.empty(), ErrorKind::Value, name(), ": the state dict does not fit", faults);
  NoGradGuard no_grad;
  for (auto& [target, value] : plan.copies) target.copy_(value);
  return plan.left;
}

}  // namespace reprise::nn
