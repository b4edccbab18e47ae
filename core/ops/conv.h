#pragma once
// Convolution in two dimensions and its two gradients. Each is bilinear, and the gradients of one
// are the other two, so derivatives of any order need nothing more. Operands, dense in one memory
// format: x [N, C, H, W], weight [O, C/groups, KH, KW], bias [O], y [N, O, OH, OW] with
// OH = (H + 2 padding - dilation (KH - 1) - 1) / stride + 1.

#include "../op.h"

namespace reprise {

struct ConvAttributes {
  Pair stride = 1, padding = 0, dilation = 1;
  int64_t groups = 1;
  static constexpr bool half_on_cuda = true, follows_format = true, channels_last_on_cuda = true;
  auto tie() const {
    return std::tuple(Attr("stride", stride), Attr("padding", padding), Attr("dilation", dilation),
                      Attr("groups", groups));
  }
};

/// (x, weight[, bias]) -> y
struct Conv2d : ConvAttributes {
  static constexpr std::string_view name = "conv2d";
  static constexpr unsigned save_in = 0b011;
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (gy, weight) -> gradient with respect to x, which has `size` (H, W).
struct Conv2dInputGrad : ConvAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "conv2d_input_grad";
  static constexpr unsigned save_in = 0b11;
  auto tie() const { return std::tuple_cat(ConvAttributes::tie(), std::tuple(Attr("size", size))); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// (gy, x) -> gradient with respect to the weight, whose kernel has `size` (KH, KW).
struct Conv2dWeightGrad : ConvAttributes {
  Pair size = 0;
  static constexpr std::string_view name = "conv2d_weight_grad";
  static constexpr unsigned save_in = 0b11;
  auto tie() const { return std::tuple_cat(ConvAttributes::tie(), std::tuple(Attr("size", size))); }
  Metas infer(std::span<const Meta> in) const;
  size_t workspace(std::span<const Meta> in, Device device) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

}  // namespace reprise
