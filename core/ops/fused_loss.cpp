#include "fused_loss.h"

#include "check_operands.h"

namespace reprise {

Metas LogSoftmaxGatherGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  const Meta &y = in[0], &index = in[1], &g = in[2];
  check_floating(name, Metas{y, g});
  check(index.dtype == int64, ErrorKind::DType, name, ": expected an index of int64, got ",
        index.dtype);
  check_dim(name, dim, y.dim());
  Shape one = y.shape;
  one[static_cast<size_t>(dim)] = 1;
  check(index.shape == one && g.shape == one, ErrorKind::Shape, name,
        ": expected index and g of shape ", one, ", got ", index.shape, " and ", g.shape);
  return {Meta(y.shape, y.dtype)};
}

}  // namespace reprise
