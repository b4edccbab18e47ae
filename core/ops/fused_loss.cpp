#include "fused_loss.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "index.h"

namespace reprise {

namespace {

/// The shape of the index, and of what is of one class each.
Shape one_each(std::string_view op, const Meta& x, const Meta& index, int dim) {
  check(index.dtype == int64, ErrorKind::DType, op, ": expected an index of int64, got ",
        index.dtype);
  check_dim(op, dim, x.dim());
  Shape one = x.shape;
  one[static_cast<size_t>(dim)] = 1;
  check(index.shape == one, ErrorKind::Shape, op, ": expected an index of shape ", one, ", got ",
        index.shape);
  return one;
}

Meta wide_line(const Shape& one, const Meta& x) {
  return Meta(one, is_half(x.dtype) ? float32 : x.dtype);
}

}  // namespace

Metas LogSoftmaxGather::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in[0].dtype);
  const Shape one = one_each(name, in[0], in[1], dim);
  const Meta line = wide_line(one, in[0]);
  return {Meta(one, in[0].dtype), line, line};
}

Tensors LogSoftmaxGather::vjp(const Vjp& v) const {
  const Tensor &g = v.gy[0], &x = v.in[0], &index = v.in[1];
  if (!g.defined()) return Tensors(v.in.size());
  if (!grad_enabled()) {
    return {apply(LogSoftmaxGatherGrad{dim}, x, index, g, v.out[1], v.out[2]), Tensor()};
  }
  const Tensor placed = apply(GatherGrad{dim, x.shape()}, g, index);
  return {placed - exp(log_softmax(x, dim)) * g, Tensor()};
}

Metas LogSoftmaxGatherGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, in.size() > 3 ? 5 : 3);
  const Meta &y = in[0], &g = in[2];
  check_floating(name, Metas{y, g});
  const Shape one = one_each(name, y, in[1], dim);
  check(g.shape == one, ErrorKind::Shape, name, ": expected g of shape ", one, ", got ", g.shape);
  for (const Meta& line : in.subspan(3)) {
    const Meta expected = wide_line(one, y);
    check(line.shape == one && line.dtype == expected.dtype && line.is_contiguous(),
          ErrorKind::Shape, name, ": expected most and log_sum as dense ", expected.dtype, one,
          ", got ", line.dtype, line.shape);
  }
  return {Meta(y.shape, y.dtype)};
}

}  // namespace reprise
