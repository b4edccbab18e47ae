#include "fused_conv.h"

#include "check_operands.h"

namespace reprise {
namespace {

/// One dimension for a packed weight: output channels are filled up to the widest panel of any
/// instruction set, 128 bytes.
Meta packed_meta(std::string_view op, Shape weight, DType dtype) {
  check(weight.size() == 4, ErrorKind::Shape, op,
        ": expected weight [out, in/groups, kh, kw], got ", weight);
  const int64_t lanes = 128 / static_cast<int64_t>(size_of(dtype));
  weight[0] = checked_add(op, weight[0], lanes - 1) / lanes * lanes;
  return checked_meta(op, {checked_meta(op, weight, dtype).numel()}, dtype);
}

}  // namespace

Metas FusedConv2d::infer(std::span<const Meta> in) const {
  check_count(name, in, 2 + size_t{bias} + 2 * size_t{scaled} + size_t{residual});
  Metas operands{Meta(in[0].shape, in[0].dtype), Meta(in[1].shape, in[1].dtype)};
  if (packed) {
    const Meta expected = packed_meta(name, weight_shape, in[1].dtype);
    check(in[1].shape == expected.shape, ErrorKind::Shape, name, ": expected a packed weight of ",
          expected.shape, ", got ", in[1].shape);
    operands[1] = checked_meta(name, weight_shape, in[1].dtype);
  }
  if (bias) operands.push_back(in[2]);
  Metas out = Conv2d{*this}.infer(operands);
  check_floating(name, in);
  check_dense(name, in);
  for (const Meta& factors : in.subspan(2 + size_t{bias}, 2 * size_t{scaled})) {
    check(factors.shape == Shape{out[0].shape[1]}, ErrorKind::Shape, name,
          ": expected scale and shift of each channel, ", Shape{out[0].shape[1]}, ", got ",
          factors.shape);
  }
  check(!residual || in.back().shape == out[0].shape, ErrorKind::Shape, name,
        ": expected a residual like the result, ", out[0].shape, ", got ", in.back().shape);
  return out;
}

Metas FusedConv2dInputGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  Metas out = Conv2dInputGrad{*this, size}.infer(in.first(2));
  check_floating(name, in);
  check_dense(name, in);
  check(in[2].shape == out[0].shape, ErrorKind::Shape, name, ": expected y like the result, ",
        out[0].shape, ", got ", in[2].shape);
  return out;
}

Metas PackConvWeight::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_floating(name, in);
  const Meta packed = packed_meta(name, in[0].shape, in[0].dtype);
  const int64_t channels = checked_mul(name, in[0].shape[1], groups);
  const Meta image = checked_meta(name, {1, channels, size.h, size.w}, in[0].dtype);
  check_dense(name, in);
  Conv2d{*this}.infer(Metas{image, Meta(in[0].shape, in[0].dtype)});
  return {packed};
}

}  // namespace reprise
