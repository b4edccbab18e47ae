#include "fused_conv.h"

namespace reprise {
namespace {

/// Elements of a packed weight: output channels filled up to the widest panel of any instruction
/// set, 128 bytes.
int64_t packed_size(const Shape& weight, DType dtype) {
  const int64_t lanes = 128 / static_cast<int64_t>(size_of(dtype));
  return (weight[0] + lanes - 1) / lanes * lanes * weight[1] * weight[2] * weight[3];
}

}  // namespace

Metas FusedConv2d::infer(std::span<const Meta> in) const {
  const size_t count = 2 + size_t{bias} + size_t{residual};
  check(in.size() == count, ErrorKind::Value, "fused_conv2d: expected ", count, " inputs, got ",
        in.size());
  Metas operands{in[0], in[1]};
  if (packed) {
    check(weight_shape.size() == 4, ErrorKind::Shape,
          "fused_conv2d: expected the shape of a packed weight, got ", weight_shape);
    const Shape expected{packed_size(weight_shape, in[1].dtype)};
    check(in[1].shape == expected, ErrorKind::Shape, "fused_conv2d: expected a packed weight of ",
          expected, " elements, got ", in[1].shape);
    operands[1].shape = weight_shape;
  }
  if (bias) operands.push_back(in[2]);
  Metas out = Conv2d{*this}.infer(operands);
  check(!residual || (in.back().shape == out[0].shape && in.back().dtype == out[0].dtype),
        ErrorKind::Shape, "fused_conv2d: expected a residual like the result, ", out[0].dtype,
        out[0].shape, ", got ", in.back().dtype, in.back().shape);
  return out;
}

Metas PackConvWeight::infer(std::span<const Meta> in) const {
  const Shape& w = in[0].shape;
  check(w.size() == 4, ErrorKind::Shape,
        "pack_conv_weight: expected weight [out, in/groups, kh, kw], got ", w);
  check(is_floating_point(in[0].dtype), ErrorKind::DType,
        "pack_conv_weight: expected float32 or float64, got ", in[0].dtype);
  Conv2d{*this}.infer(Metas{Meta({1, w[1] * groups, size.h, size.w}, in[0].dtype), in[0]});
  return {Meta({packed_size(w, in[0].dtype)}, in[0].dtype)};
}

}  // namespace reprise
