#pragma once
// Module: what all layers have in common: named parameters, buffers and children, train and eval,
// hooks, printing. A module is a handle on its state: copies of a layer share it, as copies of a
// tensor share its data; `clone` makes an independent layer. Names and behaviour are those of
// torch.nn.Module.

#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <typeinfo>
#include <utility>
#include <vector>

#include "../core/dispatch.h"
#include "../core/scope.h"
#include "registered.h"

namespace reprise::nn {

class Module;

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
using NamedModules = std::vector<std::pair<std::string, std::shared_ptr<Module>>>;

/// Runs before forward and may replace its inputs.
using ForwardPreHook = std::function<void(const Module& module, Tensors& inputs)>;
/// Runs after forward and may replace its outputs.
using ForwardHook =
    std::function<void(const Module& module, std::span<const Tensor> inputs, Tensors& outputs)>;

/// What load_state_dict left aside when it was not strict.
struct LoadResult {
  std::vector<std::string> missing, unexpected;
};

namespace detail {

class CloneScope;

struct ModuleState {
  NamedTensors parameters, buffers;
  NamedModules children;
  std::string registered_name;  ///< the name it has in its parent; empty for a root
  bool training = true;
  int64_t next_hook = 0;
  std::vector<std::pair<int64_t, ForwardPreHook>> pre_hooks;
  std::vector<std::pair<int64_t, ForwardHook>> hooks;
};

using reprise::detail::Scope;

/// "Conv2d" of nn::Conv2d: no namespaces, no template arguments.
REPRISE_API std::string type_name(const std::type_info& type);

}  // namespace detail

/// Takes a hook off again. Does nothing once the hook or its module is gone.
class REPRISE_API HookHandle {
 public:
  void remove();

 private:
  friend class Module;
  HookHandle(std::weak_ptr<detail::ModuleState> state, int64_t id)
      : state_(std::move(state)), id_(id) {}

  std::weak_ptr<detail::ModuleState> state_;
  int64_t id_;
};

/// Derive from Layer<Self> (layer.h), which turns a `forward` into what is virtual here.
class REPRISE_API Module : public Callable {
 public:
  /// Shares the state of `other`; while a clone is being made, has that of the clone.
  Module(const Module& other);
  Module(Module&&) = default;
  Module& operator=(const Module& other);
  Module& operator=(Module&&) = default;

  // ---- Registration. Names are not empty, have no dot and appear once in a module (Value error).
  /// `tensor`, a floating-point leaf, from now on requires grad. An undefined one is not
  /// registered. What is returned is to be kept as nn::Parameter or nn::Buffer (registered.h).
  Registered register_parameter(const std::string& name, Tensor tensor);
  Registered register_buffer(const std::string& name, Tensor tensor);
  void register_module(const std::string& name, const std::shared_ptr<Module>& child);
  template <std::derived_from<Module> M>
  M register_module(const std::string& name, M layer) {
    register_module(name, std::make_shared<M>(layer));
    return layer;
  }

  // ---- What there is: first its own, then that of each child. Shared ones are listed once.
  std::vector<Tensor> parameters(bool recurse = true) const;
  NamedTensors named_parameters(const std::string& prefix = "", bool recurse = true) const;
  std::vector<Tensor> buffers(bool recurse = true) const;
  NamedTensors named_buffers(const std::string& prefix = "", bool recurse = true) const;
  const NamedModules& children() const { return state_->children; }
  /// Itself, under `prefix`, and all modules below it.
  NamedModules named_modules(const std::string& prefix = "") const;
  /// Number of elements of all parameters.
  int64_t num_parameters() const;

  /// Parameters and buffers by PyTorch's names, sharing their data, without history.
  NamedTensors state_dict() const;
  /// Copies values into the parameters and buffers of these names, converting dtypes. A Value error
  /// lists all missing, unexpected and wrongly shaped names, and nothing has changed then; when not
  /// strict, missing and unexpected ones are left aside.
  LoadResult load_state_dict(const NamedTensors& values, bool strict = true);

  // ---- Changing it and all modules below it.
  void train(bool on = true);
  void eval() { train(false); }
  bool is_training() const { return state_->training; }
  void requires_grad_(bool on = true);
  void zero_grad();
  /// Converts floating-point parameters, their gradients and buffers; all handles on them follow.
  void to(DType dtype);
  void half() { to(float16); }
  void bfloat16() { to(DType::bfloat16); }
  void to(Device device);
  /// Lays out the parameters and buffers of 4 dimensions anew, and their gradients.
  void to(MemoryFormat format);
  /// Calls `f` with every module below this one, children first, then with this one.
  void apply(const std::function<void(Module&)>& f);

  HookHandle register_forward_pre_hook(ForwardPreHook hook);
  HookHandle register_forward_hook(ForwardHook hook);

  bool has_hooks() const { return !state_->pre_hooks.empty() || !state_->hooks.empty(); }

  // ---- Calling it
  /// Runs hooks and forward; symbolic inputs add one node instead. A Value error for a number of
  /// inputs that forward does not take.
  Tensors call(std::span<const Tensor> in) override;
  /// The first output. A layer of known type gives all that its forward returns (layer.h).
  template <std::derived_from<Tensor>... In>
  requires(sizeof...(In) > 0) Tensor operator()(const In&... in) {
    const std::array<Tensor, sizeof...(In)> inputs{in...};
    return std::move(call(inputs).front());
  }

  /// What stands between the parentheses when it is printed: "3, 32, kernel_size=(3, 3)".
  virtual std::string extra_repr() const { return {}; }
  /// Another handle on the same layer.
  virtual std::shared_ptr<Module> share() const = 0;
  std::shared_ptr<Callable> copy() const final { return share(); }
  bool shares_state_with(const Module& other) const { return state_ == other.state_; }

  /// An independent layer: parameters, buffers, submodules and mode of its own, with equal values
  /// and no gradients. What is shared within this layer (a submodule, tied weights) is shared
  /// within the clone. Its hooks are copied (handles on them stay with the original), and layers
  /// that they or other lambdas capture are cloned.
  /// What members point to and unregistered tensors stay shared. Value error when a registered
  /// tensor is kept as a plain Tensor (see nn::Parameter), or a registered module by pointer: the
  /// clone would use the original's. A layer of known type gives that type (layer.h).
  std::shared_ptr<Module> clone() const;

 protected:
  Module() : state_(std::make_shared<detail::ModuleState>()) {}
  virtual Tensors forward_tensors(std::span<const Tensor> in) = 0;

  /// Registers a module that errors do not name after its place here: its caller names it.
  void add_child(const std::string& name, std::shared_ptr<Module> child);
  Tensors call_with_hooks(std::span<const Tensor> in);
  /// The name under which it was registered; empty for a root.
  const std::string& registered_name() const { return state_->registered_name; }
  /// Puts that name in front of an error's text.
  void locate(Error& error) const;

 private:
  friend class detail::CloneScope;
  void check_name(const std::string& name) const;

  std::shared_ptr<detail::ModuleState> state_;
};

/// As PyTorch prints it: one line, or one line per child.
REPRISE_API std::string to_string(const Module& module);
REPRISE_API std::ostream& operator<<(std::ostream& out, const Module& module);

}  // namespace reprise::nn
