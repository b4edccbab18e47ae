#include "view.h"

#include <algorithm>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {

// ---- infer
// -----------------------------------------------------------------------------------------

Metas ViewAs::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_sizes(name, shape);
  check(shape.numel() == in[0].numel(), ErrorKind::Shape, "view: cannot see ", in[0].numel(),
        " elements of shape ", in[0].shape, " as ", shape);
  const auto strides = view_strides(in[0], shape);
  check(strides.has_value(), ErrorKind::Shape, "view: strides ", in[0].strides, " of shape ",
        in[0].shape, " cannot be seen as ", shape, " without a copy; use reshape");
  return {Meta(shape, *strides, in[0].dtype)};
}

Metas Permute::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  Meta out = in[0];
  check(dims.dim() == out.dim(), ErrorKind::Index, "permute: expected ", out.dim(), " dims, got ",
        dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    check_dim(name, dims[i], out.dim());
    check(std::find(dims.begin(), dims.begin() + i, dims[i]) == dims.begin() + i, ErrorKind::Index,
          "permute: expected each dim once, got ", dims);
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    out.shape[i] = in[0].shape[static_cast<size_t>(dims[i])];
    out.strides[i] = in[0].strides[static_cast<size_t>(dims[i])];
  }
  return {out};
}

Metas Expand::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  const Meta& x = in[0];
  check_sizes(name, shape);
  check(shape.dim() >= x.dim(), ErrorKind::Shape, "expand: expected at least ", x.dim(),
        " sizes for ", x.shape, ", got ", shape);
  const size_t lead = shape.size() - x.shape.size();
  Strides strides = Shape::filled(shape.dim(), 0);
  for (size_t i = 0; i < x.shape.size(); ++i) {
    check(x.shape[i] == shape[lead + i] || x.shape[i] == 1, ErrorKind::Shape,
          "expand: cannot make ", shape, " of ", x.shape, ": expected size ", shape[lead + i],
          " or 1, got ", x.shape[i]);
    strides[lead + i] = x.shape[i] == shape[lead + i] ? x.strides[i] : 0;
  }
  (void)shape.numel();  // refuses what no later op could count
  return {Meta(shape, strides, x.dtype)};
}

Metas StridedSlice::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_dim(name, dim, in[0].dim());
  Meta out = in[0];
  const auto at = static_cast<size_t>(dim);
  check(start >= 0 && size >= 0 && step > 0, ErrorKind::Index,
        "slice: expected start and size of at least 0 and step of at least 1, got ", start, ", ",
        size, ", ", step);
  const int64_t last =
      checked_add(name, start, checked_mul(name, std::max<int64_t>(size, 1) - 1, step));
  check(size == 0 || last < out.shape[at], ErrorKind::Index, "slice: expected elements within ",
        out.shape, ", got element ", last, " of dim ", dim);
  out.shape[at] = size;
  out.strides[at] = checked_mul(name, out.strides[at], step);
  return {out};
}

int64_t StridedSlice::offset(const Meta& in) const {
  return size == 0 ? 0 : start * in.strides[static_cast<size_t>(dim)];
}

Metas SliceGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check_dim(name, slice.dim, in[0].dim());
  Shape shape = in[0].shape;
  shape[static_cast<size_t>(slice.dim)] = full;
  const std::array<Meta, 1> whole{checked_meta(name, shape, in[0].dtype)};
  const Shape part = slice.infer(whole)[0].shape;
  check(part == in[0].shape, ErrorKind::Shape, "slice_grad: expected a gradient of shape ", part,
        ", got ", in[0].shape);
  return {whole[0]};
}

// ---- vjp
// -------------------------------------------------------------------------------------------

Tensors ViewAs::vjp(const Vjp& v) const { return {reshape(v.gy[0], v.in[0].shape())}; }

Tensors Permute::vjp(const Vjp& v) const {
  Shape inverse = dims;
  for (size_t i = 0; i < dims.size(); ++i) {
    inverse[static_cast<size_t>(dims[i])] = static_cast<int64_t>(i);
  }
  return {apply(Permute{inverse}, v.gy[0])};
}

Tensors Expand::vjp(const Vjp& v) const {
  const Shape& from = v.in[0].shape();
  const size_t lead = shape.size() - from.size();
  Dims dims;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i < lead || (from[i - lead] == 1 && shape[i] != 1)) dims.push_back(static_cast<int64_t>(i));
  }
  if (dims.empty()) return {v.gy[0]};
  return {reshape(sum(v.gy[0], dims), from)};
}

Tensors StridedSlice::vjp(const Vjp& v) const {
  return {apply(SliceGrad{*this, v.in[0].size(dim)}, v.gy[0])};
}

Tensors SliceGrad::vjp(const Vjp& v) const { return {apply(slice, v.gy[0])}; }

}  // namespace reprise
