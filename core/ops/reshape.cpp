// The public functions that see a tensor in another shape or a part of it.

#include <algorithm>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "view.h"

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
