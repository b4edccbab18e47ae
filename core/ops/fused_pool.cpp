#include "fused_pool.h"

#include "check_places.h"

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
  return infer_max_pool_grad(name, FusedMaxPool2d{*this}, size, in);
}

}  // namespace reprise
