#pragma once

#include <functional>

#include "../core/ops/host_call.h"
#include "layer.h"

namespace reprise::nn {

/// x -> x, and `f` sees the values of x at every run: also when a symbolic model or a program is
/// replayed, where x is valid during the call only (clone what is to be kept). The gradient passes
/// through. Value error without a function.
class REPRISE_API Callback : public Layer<Callback> {
 public:
  explicit Callback(std::function<void(const Tensor&)> f) {
    check(f != nullptr, ErrorKind::Value, "Callback: expected a function, got none");
    f_ = [f = std::move(f)](const Tensors& in) {
      f(in[0]);
      return Tensors();
    };
  }
  Tensor forward(const Tensor& x) const {
    host_call("Callback", f_, {x.detach()}, {});
    return x;
  }

 private:
  HostFunction f_;
};

}  // namespace reprise::nn
