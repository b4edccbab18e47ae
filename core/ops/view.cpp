#include "view.h"

#include <algorithm>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

/// `shape` with its -1 worked out for `numel` elements.
Shape resolve(std::string_view op, Shape shape, int64_t numel, const Shape& from) {
  int64_t known = 1;
  int64_t* unknown = nullptr;
  for (int64_t& s : shape) {
    check(s >= kUnknown, ErrorKind::Shape, op, ": expected sizes of at least 0 and one -1, got ",
          s);
    check(s != kUnknown || unknown == nullptr, ErrorKind::Shape, op,
          ": expected at most one size of -1, got two");
    if (s == kUnknown) {
      unknown = &s;
    } else {
      check(!__builtin_mul_overflow(known, s, &known), ErrorKind::Shape, op,
            ": the product of the sizes does not fit 63 bits");
    }
  }
  if (unknown != nullptr) {
    check(known > 0 && numel % known == 0, ErrorKind::Shape, op, ": cannot fill the -1 of ", shape,
          " from ", numel, " elements of ", from);
    *unknown = numel / known;
    return shape;
  }
  check(known == numel, ErrorKind::Shape, op, ": expected ", numel, " elements as in ", from,
        ", got ", shape, " of ", known);
  return shape;
}

}  // namespace

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

// ---- public functions
// --------------------------------------------------------------------------------

namespace {

Tensor view_as(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : apply(ViewAs{shape}, x);
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  return composite(
      "reshape",
      [shape](const Tensor& a) {
        const Shape full = resolve("reshape", shape, a.numel(), a.shape());
        return view_as(view_strides(a.meta(), full) ? a : a.contiguous(), full);
      },
      x);
}

Tensor view(const Tensor& x, const Shape& shape) {
  return composite(
      "view",
      [shape](const Tensor& a) {
        return apply(ViewAs{resolve("view", shape, a.numel(), a.shape())}, a);
      },
      x);
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  return composite(
      "flatten",
      [start_dim, end_dim](const Tensor& a) {
        const auto first = static_cast<size_t>(wrap_dim("flatten", start_dim, a.dim()));
        const auto last = static_cast<size_t>(wrap_dim("flatten", end_dim, a.dim()));
        check(first <= last, ErrorKind::Index, "flatten: expected start_dim <= end_dim, got ",
              start_dim, " and ", end_dim);
        if (a.dim() == 0) return view_as(a, {1});
        const std::span sizes(a.shape().begin(), a.shape().size());
        Shape shape(sizes.first(first));
        shape.push_back(Shape(sizes.subspan(first, last - first + 1)).numel());
        for (int64_t s : sizes.subspan(last + 1)) shape.push_back(s);
        return reshape(a, shape);
      },
      x);
}

Tensor permute(const Tensor& x, const Shape& dims) {
  return composite(
      "permute",
      [dims](const Tensor& a) {
        check(dims.dim() == a.dim(), ErrorKind::Shape, "permute: expected ", a.dim(),
              " dims for a tensor of shape ", a.shape(), ", got ", dims);
        Shape wrapped = dims;
        Shape seen = Shape::filled(a.dim(), 0);
        for (int64_t& d : wrapped) {
          d = wrap_dim("permute", d, a.dim());
          check(seen[static_cast<size_t>(d)]++ == 0, ErrorKind::Index,
                "permute: expected each dim once, got ", dims);
        }
        return apply(Permute{wrapped}, a);
      },
      x);
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  return composite(
      "transpose",
      [dim0, dim1](const Tensor& a) {
        if (a.dim() == 0) return a;
        Shape dims;
        for (int d = 0; d < a.dim(); ++d) dims.push_back(d);
        std::swap(dims[static_cast<size_t>(wrap_dim("transpose", dim0, a.dim()))],
                  dims[static_cast<size_t>(wrap_dim("transpose", dim1, a.dim()))]);
        return apply(Permute{dims}, a);
      },
      x);
}

Tensor t(const Tensor& x) {
  check(x.dim() <= 2, ErrorKind::Shape, "t: expected at most 2 dimensions, got ", x.shape());
  return x.dim() < 2 ? x : transpose(x, 0, 1);
}

Tensor slice(const Tensor& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  check(step > 0, ErrorKind::Value, "slice: expected a step of at least 1, got ", step);
  return composite(
      "slice",
      [=](const Tensor& a) {
        check(a.dim() > 0, ErrorKind::Shape, "slice: expected at least 1 dimension, got a scalar");
        const int at = wrap_dim("slice", dim, a.dim());
        const int64_t n = a.size(at);
        const auto bound = [n](int64_t i) { return std::clamp<int64_t>(i < 0 ? i + n : i, 0, n); };
        const int64_t first = bound(start.value_or(0)), last = bound(end.value_or(n));
        const int64_t size = last > first ? (last - first - 1) / step + 1 : 0;
        return apply(StridedSlice{at, first, size, size > 1 ? step : 1}, a);
      },
      x);
}

Tensor select(const Tensor& x, int64_t dim, int64_t index) {
  return composite(
      "select",
      [dim, index](const Tensor& a) {
        check(a.dim() > 0, ErrorKind::Shape, "select: expected at least 1 dimension, got a scalar");
        const int at = wrap_dim("select", dim, a.dim());
        const int64_t n = a.size(at);
        check(index >= -n && index < n, ErrorKind::Index, "select: expected an index in [", -n,
              ", ", n - 1, "] for dim ", at, " of ", a.shape(), ", got ", index);
        Shape shape = a.shape();
        shape.erase(at);
        return view_as(apply(StridedSlice{at, index < 0 ? index + n : index, 1, 1}, a), shape);
      },
      x);
}

Tensor expand(const Tensor& x, const Shape& shape) {
  return composite(
      "expand",
      [shape](const Tensor& a) {
        check(shape.dim() >= a.dim(), ErrorKind::Shape, "expand: expected at least ", a.dim(),
              " sizes for ", a.shape(), ", got ", shape);
        Shape full = shape;
        const size_t lead = shape.size() - a.shape().size();
        for (size_t i = 0; i < full.size(); ++i) {
          if (full[i] == kUnknown && i >= lead) full[i] = a.shape()[i - lead];
          check(full[i] >= 0, ErrorKind::Shape, "expand: expected sizes of at least 0, got ",
                full[i]);
        }
        return full == a.shape() ? a : apply(Expand{full}, a);
      },
      x);
}

Tensor squeeze(const Tensor& x, std::optional<int64_t> dim) {
  return composite(
      "squeeze",
      [dim](const Tensor& a) {
        const int only = dim ? wrap_dim("squeeze", *dim, a.dim()) : -1;
        Shape shape;
        for (int d = 0; d < a.dim(); ++d) {
          const int64_t s = a.shape()[static_cast<size_t>(d)];
          if (s != 1 || (dim && d != only)) shape.push_back(s);
        }
        return view_as(a, shape);
      },
      x);
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  return composite(
      "unsqueeze",
      [dim](const Tensor& a) {
        Shape shape = a.shape();
        shape.insert(wrap_dim("unsqueeze", dim, a.dim() + 1), 1);
        return view_as(a, shape);
      },
      x);
}

}  // namespace reprise
