#include "fused_loss.h"

namespace reprise {

Metas LogSoftmaxGatherGrad::infer(std::span<const Meta> in) const {
  const Meta &y = in[0], &index = in[1], &g = in[2];
  check(is_floating_point(y.dtype) && g.dtype == y.dtype, ErrorKind::DType, name,
        ": expected y and g of one floating-point dtype, got ", y.dtype, " and ", g.dtype);
  check(index.dtype == int64, ErrorKind::DType, name, ": expected an index of int64, got ",
        index.dtype);
  check(dim >= 0 && dim < y.dim(), ErrorKind::Index, name, ": expected a dim of ", y.shape,
        ", got ", dim);
  Shape one = y.shape;
  one[static_cast<size_t>(dim)] = 1;
  check(index.shape == one && g.shape == one, ErrorKind::Shape, name,
        ": expected index and g of shape ", one, ", got ", index.shape, " and ", g.shape);
  return {Meta(y.shape, y.dtype)};
}

}  // namespace reprise
