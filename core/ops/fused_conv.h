#pragma once
// Convolution with what follows it in one pass, and its weights in the order in which the kernel
// reads them. Made by graph passes, after differentiation: they have no gradients.

#include "activation.h"
#include "conv.h"

namespace reprise {

/// (x, weight[, bias][, scale, shift][, residual])
///   -> activation(conv2d(x, weight, bias) * scale + shift + residual), where scale and shift [O]
///   are
/// of each channel, as batch normalisation in eval mode has them, and the residual has the shape of
/// the result. All dense. The same bits as the single ops. When `packed`, weight is what
/// PackConvWeight made of one of `weight_shape`.
struct FusedConv2d : ConvAttributes {
  bool bias = false, scaled = false, residual = false;
  Activation activation = Activation::none;
  bool packed = false;
  Shape weight_shape = {};  ///< empty unless packed
  static constexpr std::string_view name = "fused_conv2d";
  auto tie() const {
    return std::tuple_cat(ConvAttributes::tie(),
                          std::tuple(Attr("bias", bias), Attr("scaled", scaled),
                                     Attr("residual", residual), Attr("activation", activation),
                                     Attr("packed", packed), Attr("weight_shape", weight_shape)));
  }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// (gy, weight, y) -> relu_grad(conv2d_input_grad(gy, weight), y): the gradient with respect to
/// what relu made y of, which has `size` (H, W). All dense. The same bits as the single ops; may be
/// written over y.
struct FusedConv2dInputGrad : ConvAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "fused_conv2d_input_grad";
  static constexpr unsigned overwrites = 0b100;
  auto tie() const { return std::tuple_cat(ConvAttributes::tie(), std::tuple(Attr("size", size))); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// weight [O, C/groups, KH, KW], dense -> its elements, and zeros, in one dimension and in the
/// order in which the kernels of this process read them: the order may depend on the instruction
/// set, so the result must not be saved. It serves convolutions of images of `size` (H, W), any
/// batch.
struct PackConvWeight : ConvAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "pack_conv_weight";
  auto tie() const { return std::tuple_cat(ConvAttributes::tie(), std::tuple(Attr("size", size))); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
