#pragma once

#include "layer.h"

namespace reprise::nn {

/// Layers one after another; its children are named "0", "1", ... A Sequential given as the only
/// layer is copied, not nested: use push_back for that.
class REPRISE_API Sequential : public Layer<Sequential> {
 public:
  template <std::derived_from<Module>... L>
  explicit Sequential(const L&... layers) {
    (push_back(layers), ...);
  }
  explicit Sequential(const std::vector<std::shared_ptr<Module>>& layers);

  template <std::derived_from<Module> L>
  void push_back(const L& layer) {
    push_back(std::shared_ptr<Module>(layer.share()));
  }
  void push_back(std::shared_ptr<Module> layer);

  size_t size() const { return children().size(); }
  /// A negative index counts from the back. Index error.
  Module& operator[](int64_t i) const;
  Tensor forward(const Tensor& x) const;
};

}  // namespace reprise::nn
