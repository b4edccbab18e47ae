#include "index.h"

#include "../dispatch.h"
#include "../ops.h"

namespace reprise {

Metas Gather::infer(std::span<const Meta> in) const {
  const Meta &x = in[0], &index = in[1];
  check(index.dtype == int64, ErrorKind::DType, "gather: expected an index of int64, got ",
        index.dtype);
  check(index.dim() == x.dim(), ErrorKind::Shape, "gather: expected an index of ", x.dim(),
        " dimensions as x ", x.shape, ", got ", index.shape);
  for (size_t d = 0; d < x.shape.size(); ++d) {
    check(static_cast<int>(d) == dim || index.shape[d] <= x.shape[d], ErrorKind::Shape,
          "gather: expected an index no larger than x ", x.shape, " besides dim ", dim, ", got ",
          index.shape);
  }
  return {Meta(index.shape, x.dtype)};
}

Tensors Gather::vjp(const Vjp& v) const {
  return {apply(GatherGrad{dim, v.in[0].shape()}, v.gy[0], v.in[1]), Tensor()};
}

Metas GatherGrad::infer(std::span<const Meta> in) const { return {Meta(shape, in[0].dtype)}; }

Tensors GatherGrad::vjp(const Vjp& v) const {
  return {apply(Gather{dim}, v.gy[0], v.in[1]), Tensor()};
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  return composite(
      "gather",
      [dim](const Tensor& a, const Tensor& i) {
        return apply(Gather{wrap_dim("gather", dim, a.dim())}, a, i);
      },
      x, index);
}

}  // namespace reprise
