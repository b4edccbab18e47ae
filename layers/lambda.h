#pragma once
// Functions made of tensor ops as layers.

#include "layer.h"

namespace reprise::nn {
namespace detail {

template <class F, size_t... I>
constexpr bool takes_tensors(std::index_sequence<I...>) {
  return std::invocable<const F&, TensorAt<I>...>;
}
template <class F, size_t... N>
constexpr bool takes_some_tensors(std::index_sequence<N...>) {
  return (takes_tensors<F>(std::make_index_sequence<N + 1>()) || ...);
}
/// Of one to six: a generic function might take a list as well, but is not meant to.
template <class F>
inline constexpr bool kTakesTensors = takes_some_tensors<F>(std::make_index_sequence<kMaxInputs>());

}  // namespace detail

/// A function of one to six tensors, or of `const Tensors&`, with a name:
///   auto scale = nn::Lambda("Scale", [](const Tensor& x) { return 2 * x; });
/// It returns what a forward may return, and must not read values: graphs run it on meta tensors
/// and programs trace it. Layers that it captures are not registered: a compiled model does not see
/// when their mode changes. Value error for an empty name.
template <class F>
class Lambda : public Layer<Lambda<F>> {
 public:
  Lambda(std::string name, F f) : name_(std::move(name)), f_(std::move(f)) {
    check(!name_.empty(), ErrorKind::Value, "Lambda: expected a name, got an empty one");
  }
  template <std::derived_from<Tensor>... In>
  requires std::invocable<const F&, const In&...>
  auto forward(const In&... in) const { return f_(in...); }
  auto forward(const Tensors& in) const requires(!detail::kTakesTensors<F>) &&
      std::invocable<const F&, const Tensors&> {
    return f_(in);
  }
  std::string name() const override { return name_; }

 private:
  std::string name_;
  F f_;
};

}  // namespace reprise::nn
