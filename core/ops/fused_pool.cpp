#include "fused_pool.h"

#include "check_operands.h"

namespace reprise {

Metas FusedMaxPool2d::infer(std::span<const Meta> in) const {
  Metas out = MaxPool2d{*this}.infer(in);
  check(kernel_size.h * kernel_size.w <= kMostWindowPlaces && dilation == Pair(1), ErrorKind::Value,
        name, ": expected a kernel_size of at most ", kMostWindowPlaces,
        " elements and a dilation of 1, got ", kernel_size, " and ", dilation);
  out[1] = Meta(out[0].shape, uint8);
  return out;
}

Metas FusedMaxPool2dGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_dense(name, in);
  const Shape& gy = in[0].shape;
  check(gy.size() == 4, ErrorKind::Shape, name, ": expected gy [N, C, H, W], got ", gy);
  const Meta x = checked_meta(name, {gy[0], gy[1], size.h, size.w}, in[0].dtype);
  const Metas pooled = FusedMaxPool2d{*this}.infer({&x, 1});
  check(gy == pooled[0].shape, ErrorKind::Shape, name, ": expected gy of shape ", pooled[0].shape,
        ", got ", gy);
  check(in[1].dtype == uint8 && in[1].shape == gy, ErrorKind::Shape, name,
        ": expected places uint8", gy, ", got ", in[1].dtype, in[1].shape);
  return {x};
}

}  // namespace reprise
