#pragma once
// A linear layer with its activation in one call, and the gradient of both. Made by graph passes,
// after differentiation: they have no gradients.

#include "activation.h"
#include "matmul.h"

namespace reprise {

/// (x [N, in], weight [out, in], bias [out]) -> activation(linear(x, weight, bias)), [N, out], and
/// then, when it `keeps_linear`, linear(x, weight, bias) too. The same bits as the single ops.
struct FusedLinear {
  Activation activation = Activation::none;
  bool keeps_linear = false;
  static constexpr std::string_view name = "fused_linear";
  static constexpr bool half_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("activation", activation), Attr("keeps_linear", keeps_linear));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (gy [N, out], weight [out, in], saved [N, in], dense) -> the gradient of `activation`, which is
/// relu, gelu or gelu_tanh, for gy weight and what it saved (gradient_index): what comes back
/// through linear(activation(.), weight). The same bits as the single ops.
struct FusedLinearInputGrad {
  Activation activation = Activation::relu;
  static constexpr std::string_view name = "fused_linear_input_grad";
  static constexpr bool half_on_cuda = true;
  auto tie() const { return std::tuple(Attr("activation", activation)); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
