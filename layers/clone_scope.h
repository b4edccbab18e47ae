#pragma once
// How layers are cloned: by their own copy constructors. While a CloneScope lives, a copied module
// gets the state of its clone in place of the shared one, and a copied nn::Registered the clone's
// tensor, each made on first sight. So members follow wherever they stand (in vectors, optionals,
// lambdas), and what was shared before is shared after.

#include <memory>
#include <typeinfo>
#include <unordered_map>
#include <vector>

#include "../core/dispatch.h"
#include "registered.h"

namespace reprise::nn::detail {

class REPRISE_API CloneScope {
 public:
  CloneScope();
  ~CloneScope();
  CloneScope(const CloneScope&) = delete;
  CloneScope& operator=(const CloneScope&) = delete;

  /// The one that is active on this thread, or null.
  static CloneScope* current();

  /// The clone of a tensor: a leaf without gradient, the same for the same tensor.
  Tensor tensor(const Tensor& original);
  std::shared_ptr<ModuleState> state(const Module& original);
  Registered registered(const Registered& original);
  /// What `original` copies itself to; the same copy for the same object.
  std::shared_ptr<Callable> callable(const Callable& original);
  /// What `make` gives, a std::shared_ptr, once for each `original`, which is kept alive meanwhile.
  template <class T, class Make>
  auto once(const std::shared_ptr<T>& original, Make make) {
    auto& [kept, twin] = others_[original.get()];
    if (twin == nullptr) {
      kept = original;
      twin = make();
    }
    return std::static_pointer_cast<typename decltype(make())::element_type>(twin);
  }

  /// To be called when all is copied: `twin`, the root, has no parent to be named after. Value
  /// error naming the layer and its member when the copy of a layer still refers to the original.
  void finish(const Module& twin) const;

 private:
  struct State {
    std::shared_ptr<ModuleState> original, twin;
    const std::type_info* type = nullptr;
    std::vector<long> holders;          ///< of its children, before members were copied
    std::vector<const void*> followed;  ///< tensors whose Registered was copied
  };
  void fill(State& state);
  static void check_tensors(const State& state);
  static void check_children(const State& state);

  CloneScope* const before_;
  std::unordered_map<const ModuleState*, State> states_;
  std::unordered_map<const TensorImpl*, std::pair<Tensor, Tensor>> tensors_;  // original and clone
  std::unordered_map<const Callable*, std::shared_ptr<Callable>> callables_;
  std::unordered_map<const void*, std::pair<std::shared_ptr<const void>, std::shared_ptr<void>>>
      others_;
};

}  // namespace reprise::nn::detail
