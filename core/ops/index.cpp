#include "index.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

/// An index into a tensor of shape `x` along `dim`.
void check_index(const Meta& index, const Shape& x, int dim) {
  check(index.dtype == int64, ErrorKind::DType, "gather: expected an index of int64, got ",
        index.dtype);
  check(index.dim() == x.dim(), ErrorKind::Shape, "gather: expected an index of ", x.dim(),
        " dimensions as x ", x, ", got ", index.shape);
  check_dim("gather", dim, std::max(x.dim(), 1));
  for (size_t d = 0; d < x.size(); ++d) {
    check(static_cast<int>(d) == dim || index.shape[d] <= x[d], ErrorKind::Shape,
          "gather: expected an index no larger than x ", x, " besides dim ", dim, ", got ",
          index.shape);
  }
}

/// A list of indices along `dim` of a tensor of shape `x`.
void check_list(std::string_view op, const Meta& index, const Shape& x, int dim) {
  check(index.dtype == int64, ErrorKind::DType, op, ": expected an index of int64, got ",
        index.dtype);
  check(index.dim() == 1, ErrorKind::Shape, op, ": expected an index of 1 dimension, got ",
        index.shape);
  check_dim(op, dim, x.dim());
}

}  // namespace

Metas Gather::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_index(in[1], in[0].shape, dim);
  return {Meta(in[1].shape, in[0].dtype)};
}

Tensors Gather::vjp(const Vjp& v) const {
  return {apply(GatherGrad{dim, v.in[0].shape()}, v.gy[0], v.in[1]), Tensor()};
}

Metas GatherGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in[0].dtype);
  check_index(in[1], shape, dim);
  check(in[0].shape == in[1].shape, ErrorKind::Shape, "gather_grad: expected a gradient of shape ",
        in[1].shape, ", got ", in[0].shape);
  return {checked_meta(name, shape, in[0].dtype)};
}

Tensors GatherGrad::vjp(const Vjp& v) const {
  return {apply(Gather{dim}, v.gy[0], v.in[1]), Tensor()};
}

Metas IndexSelect::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_list(name, in[1], in[0].shape, dim);
  Shape shape = in[0].shape;
  shape[static_cast<size_t>(dim)] = in[1].shape[0];
  return {checked_meta(name, shape, in[0].dtype)};
}

Tensors IndexSelect::vjp(const Vjp& v) const {
  return {apply(IndexSelectGrad{dim, v.in[0].size(dim)}, v.gy[0], v.in[1]), Tensor()};
}

Metas IndexSelectGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in[0].dtype);
  check_list(name, in[1], in[0].shape, dim);
  Shape shape = in[0].shape;
  int64_t& rows = shape[static_cast<size_t>(dim)];
  check(rows == in[1].shape[0], ErrorKind::Shape, name, ": expected ", in[1].shape[0],
        " rows in dim ", dim, ", got ", in[0].shape);
  rows = size;
  return {checked_meta(name, shape, in[0].dtype)};
}

Tensors IndexSelectGrad::vjp(const Vjp& v) const {
  return {apply(IndexSelect{dim}, v.gy[0], v.in[1]), Tensor()};
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  return composite(
      "gather",
      [dim](const Tensor& a, const Tensor& i) {
        return apply(Gather{wrap_dim("gather", dim, a.dim())}, a, i);
      },
      x, index);
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  return composite(
      "index_select",
      [dim](const Tensor& a, const Tensor& i) {
        check(a.dim() > 0, ErrorKind::Shape,
              "index_select: expected at least 1 dimension, got a scalar");
        const int at = wrap_dim("index_select", dim, a.dim());
        const Tensor rows = apply(IndexSelect{at}, a, reshape(i, {i.numel()}));
        if (i.dim() == 1) return rows;
        Shape shape = a.shape();
        shape.erase(at);
        for (int d = 0; d < i.dim(); ++d) shape.insert(at + d, i.size(d));
        return reshape(rows, shape);
      },
      x, index);
}

}  // namespace reprise
