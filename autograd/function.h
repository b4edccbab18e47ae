#pragma once
// Functions with a gradient of their own:
//
//   struct Power {
//     double exponent;                                                   attributes
//     static constexpr std::string_view name = "power";
//     Tensor forward(Context& ctx, const Tensor& x) const {
//       ctx.save_for_backward({x});
//       return pow(x, exponent);
//     }
//     Tensors backward(const Context& ctx, const Tensors& gy) const {    one gradient per input
//       return {gy[0] * exponent * pow(ctx.saved_tensors()[0], exponent - 1)};
//     }
//   };
//   Tensor y = apply(Power{3}, x);
//
// forward runs without recording; backward is made of public functions, so that it can be
// differentiated again.

#include "record.h"
#include "tape.h"

namespace reprise {

struct FunctionNode;

/// What the forward of a function keeps for its backward.
class REPRISE_API Context {
 public:
  /// Keeps tensors; inputs and outputs of the function may be among them. To be called in forward.
  void save_for_backward(const Tensors& tensors) { saving_ = tensors; }
  /// The kept tensors, in backward. Autograd error when one was changed in place since, or when an
  /// earlier backward released them.
  Tensors saved_tensors() const;
  /// Whether somebody asked for the gradient of input `i`, in backward.
  bool needs_input_grad(size_t i) const { return i < needs_.size() && needs_[i]; }

 private:
  friend struct FunctionNode;
  struct Saved {
    Saved(Operand o, bool output) : operand(std::move(o)), is_output(output) {}
    Operand operand;
    bool is_output;  // then its history is the node itself
  };

  Tensors saving_;
  std::vector<Saved> saved_;
  std::span<const bool> needs_;
  FunctionNode* node_ = nullptr;
};

/// The node of a function call; backward gets zeros for outputs that nobody used.
struct REPRISE_API FunctionNode : Node {
  FunctionNode() : Node(nullptr) { context.node_ = this; }

  void free_saved() override;
  void visit_saved(const std::function<void(const Operand&)>& visit) const override;
  Tensors vjp(const Vjp& v) final;
  virtual Tensors backward(const Tensors& gy) = 0;
  /// Ties `out` to `in` and keeps what was saved, when gradients are recorded.
  void record(std::span<const Tensor> in, std::span<Tensor> out);

  Context context;
};

namespace detail {

template <class F>
struct FunctionNodeOf final : FunctionNode {
  explicit FunctionNodeOf(const F& f) : function(f) {}
  std::string_view name() const override { return F::name; }
  Tensors backward(const Tensors& gy) override { return function.backward(context, gy); }

  F function;
};

}  // namespace detail

template <class F>
concept CustomFunction = std::copyable<F> && requires(const F& f, const Context& ctx, Tensors gy) {
  { F::name } -> std::convertible_to<std::string_view>;
  { f.backward(ctx, gy) } -> std::convertible_to<Tensors>;
};

/// Calls `f.forward(ctx, in...)`, which returns Tensor or Tensors.
template <CustomFunction F, std::derived_from<Tensor>... In>
auto apply(const F& f, const In&... in) {
  const auto call = [f](const auto&... x) {
    auto node = make_ref<detail::FunctionNodeOf<F>>(f);
    const std::array<Tensor, sizeof...(In)> inputs{x...};
    auto out = [&] {
      const NoGradGuard guard;
      return f.forward(node->context, x...);
    }();
    if constexpr (std::same_as<decltype(out), Tensor>)
      node->record(inputs, {&out, 1});
    else
      node->record(inputs, out);
    return out;
  };
  return composite(F::name, call, in...);
}

}  // namespace reprise
