#include "reduce.h"

#include <algorithm>
#include <limits>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "index.h"
#include "softmax.h"

namespace reprise {
namespace {

/// The shape after reducing `dims`.
Shape reduced(const Shape& shape, const Shape& dims, bool keepdim) {
  Shape out;
  for (int d = 0; d < shape.dim(); ++d) {
    const bool gone = std::find(dims.begin(), dims.end(), d) != dims.end();
    if (!gone) out.push_back(shape[static_cast<size_t>(d)]);
    if (gone && keepdim) out.push_back(1);
  }
  return out;
}

/// `gy` with the reduced dimensions back, repeated to the shape of the input.
Tensor spread(const Tensor& gy, const Shape& dims, bool keepdim, const Shape& shape) {
  return expand(keepdim ? gy : reshape(gy, reduced(shape, dims, true)), shape);
}

/// Wrapped, sorted and all of them when none are given.
Shape normalize(std::string_view op, const Shape& dims, int rank) {
  Shape out;
  if (dims.empty()) {
    for (int d = 0; d < rank; ++d) out.push_back(d);
    return out;
  }
  for (int64_t d : dims) {
    const int at = wrap_dim(op, d, rank);
    check(std::find(out.begin(), out.end(), at) == out.end(), ErrorKind::Index, op, ": dim ", at,
          " appears more than once in ", dims);
    if (rank > 0) out.push_back(at);
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

Metas Sum::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  check(dims.empty() == in[0].shape.empty(), ErrorKind::Index, "sum: expected dims of ",
        in[0].shape, ", got ", dims);
  for (size_t i = 0; i < dims.size(); ++i) {
    check_dim(name, dims[i], in[0].dim());
    check(i == 0 || dims[i - 1] < dims[i], ErrorKind::Index, "sum: expected ascending dims, got ",
          dims);
  }
  const DType dtype = is_floating_point(in[0].dtype) ? in[0].dtype : int64;
  return {Meta(reduced(in[0].shape, dims, keepdim), dtype)};
}

Tensors Sum::vjp(const Vjp& v) const { return {spread(v.gy[0], dims, keepdim, v.in[0].shape())}; }

Metas MaxDim::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  const Shape& shape = in[0].shape;
  check_dim(name, dim, std::max(shape.dim(), 1));
  check(shape.empty() || shape[static_cast<size_t>(dim)] > 0, ErrorKind::Shape,
        largest ? "max" : "min", ": expected at least one element along dim ", dim, ", got ",
        shape);
  const Shape out = reduced(shape, shape.empty() ? Shape{} : Shape{dim}, keepdim);
  return {Meta(out, in[0].dtype), Meta(out, int64)};
}

Tensors MaxDim::vjp(const Vjp& v) const {
  const Shape& shape = v.in[0].shape();
  if (shape.empty()) return {v.gy[0]};
  const Tensor gy = keepdim ? v.gy[0] : unsqueeze(v.gy[0], dim);
  const Tensor indices = keepdim ? v.out[1] : unsqueeze(v.out[1], dim);
  return {apply(GatherGrad{dim, shape}, gy, indices)};
}

namespace {

Metas infer_softmax(std::string_view name, std::span<const Meta> in, int dim) {
  check_count(name, in, 1);
  check_floating(name, in[0].dtype);
  check_dim(name, dim, std::max(in[0].dim(), 1));
  return {Meta(in[0].shape, in[0].dtype)};
}

}  // namespace

Metas Softmax::infer(std::span<const Meta> in) const { return infer_softmax(name, in, dim); }
Metas LogSoftmax::infer(std::span<const Meta> in) const { return infer_softmax(name, in, dim); }

Metas SoftmaxGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_floating(name, in);
  const Shape& y = in[0].shape;
  check_dim(name, dim, std::max(y.dim(), 1));
  check(in[1].shape == y && in[0].is_contiguous() && in[1].is_contiguous(), ErrorKind::Shape, name,
        ": expected y and gy, both dense, of one shape, got ", y, " and ", in[1].shape);
  return {Meta(y, in[0].dtype)};
}

Tensors Softmax::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &y = v.out[0];
  if (!grad_enabled()) return {apply(SoftmaxGrad{dim, false}, y, gy.contiguous())};
  return {y * (gy - sum(gy * y, dim, true))};
}

Tensors LogSoftmax::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &y = v.out[0];
  if (!grad_enabled()) return {apply(SoftmaxGrad{dim, true}, y, gy.contiguous())};
  return {gy - exp(y) * sum(gy, dim, true)};
}

// ---- public functions
// --------------------------------------------------------------------------------

Tensor sum(const Tensor& x, const Dims& dims, bool keepdim) {
  return composite(
      "sum",
      [dims, keepdim](const Tensor& a) {
        return apply(Sum{normalize("sum", dims, a.dim()), keepdim}, a);
      },
      x);
}

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
  return composite(
      "mean",
      [dims, keepdim](const Tensor& a) {
        check(is_floating_point(a.dtype()), ErrorKind::DType,
              "mean: expected a floating-point dtype, got ", a.dtype());
        const Shape over = normalize("mean", dims, a.dim());
        double count = 1;
        for (int64_t d : over) count *= static_cast<double>(a.shape()[static_cast<size_t>(d)]);
        if (!is_half(a.dtype())) return apply(Sum{over, keepdim}, a) / count;
        const Tensor wide = apply(Sum{over, keepdim}, a.to(float32)) / count;  // sums may overflow
        return wide.to(a.dtype());
      },
      x);
}

namespace {

/// f(how many elements are not zero, how many there are), as PyTorch has it: uint8 stays.
template <class F>
Tensor truth(std::string_view name, const Tensor& x, const Dims& dims, bool keepdim, F f) {
  return composite(
      name,
      [=](const Tensor& a) {
        const Shape over = normalize(name, dims, a.dim());
        int64_t all = 1;
        for (int64_t d : over) all *= a.shape()[static_cast<size_t>(d)];
        const Tensor flags = a.dtype() == bool_ ? a : a != 0;
        const Tensor holds = f(apply(Sum{over, keepdim}, flags), all);
        return a.dtype() == uint8 ? holds.to(uint8) : holds;
      },
      x);
}

}  // namespace

Tensor all(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("all", x, dims, keepdim, [](const Tensor& n, int64_t all) { return n == all; });
}

Tensor any(const Tensor& x, const Dims& dims, bool keepdim) {
  return truth("any", x, dims, keepdim, [](const Tensor& n, int64_t) { return n != 0; });
}

namespace {

template <bool Largest>
Tensors extreme(std::string_view name, const Tensor& x, int64_t dim, bool keepdim) {
  return composite(
      name,
      [=](const Tensor& a) {
        const std::array<Tensor, 1> in{a};
        return dispatch(Model(MaxDim{wrap_dim(name, dim, a.dim()), keepdim, Largest}), in);
      },
      x);
}

template <bool Largest>
Tensors extreme_of_all(std::string_view name, const Tensor& x) {
  return composite(
      name,
      [name](const Tensor& a) {
        check(a.numel() > 0, ErrorKind::Value, name, ": expected at least one element, got ",
              a.shape());
        return extreme<Largest>(name, a.flatten(), 0, false);
      },
      x);
}

template <bool Largest>
Tensor extreme_index(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  constexpr std::string_view name = Largest ? "argmax" : "argmin";
  if (dim) return extreme<Largest>(name, x, *dim, keepdim)[1];
  return extreme_of_all<Largest>(name, x)[1];
}

}  // namespace

Tensor max(const Tensor& x) { return extreme_of_all<true>("max", x)[0]; }
Tensor min(const Tensor& x) { return extreme_of_all<false>("min", x)[0]; }
ValuesIndices max(const Tensor& x, int64_t dim, bool keepdim) {
  const Tensors out = extreme<true>("max", x, dim, keepdim);
  return {out[0], out[1]};
}
ValuesIndices min(const Tensor& x, int64_t dim, bool keepdim) {
  const Tensors out = extreme<false>("min", x, dim, keepdim);
  return {out[0], out[1]};
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return extreme_index<true>(x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return extreme_index<false>(x, dim, keepdim);
}

Tensor softmax(const Tensor& x, int64_t dim) {
  return composite(
      "softmax",
      [dim](const Tensor& a) { return apply(Softmax{wrap_dim("softmax", dim, a.dim())}, a); }, x);
}

Tensor log_softmax(const Tensor& x, int64_t dim) {
  return composite(
      "log_softmax",
      [dim](const Tensor& a) {
        return apply(LogSoftmax{wrap_dim("log_softmax", dim, a.dim())}, a);
      },
      x);
}

}  // namespace reprise
