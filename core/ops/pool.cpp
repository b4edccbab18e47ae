#include "pool.h"

#include <algorithm>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "check_places.h"
#include "dense_gradient.h"
#include "memory_format.h"

namespace reprise {
namespace {

/// PyTorch's rule: with ceil_mode the last window may hang over the end, but must start inside.
int64_t out_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                 bool ceil_mode) {
  const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  if (room < 0 && !(ceil_mode && room + stride > 0)) return 0;
  int64_t out = (room + (ceil_mode ? stride - 1 : 0)) / stride + 1;
  if (ceil_mode && (out - 1) * stride >= size + padding) --out;
  return out;
}

// Attributes and sizes of images are below 2^31, so that products of two fit.
bool all_within(Pair p, int64_t low) {
  return std::min(p.h, p.w) >= low && std::max(p.h, p.w) <= INT32_MAX;
}

void check_window(std::string_view op, Pair kernel, Pair stride, Pair padding, Pair dilation) {
  check(all_within(kernel, 1), ErrorKind::Value, op, ": expected a kernel_size of at least 1, got ",
        kernel);
  check(all_within(stride, 1), ErrorKind::Value, op, ": expected a stride of at least 1, got ",
        stride);
  check(all_within(dilation, 1), ErrorKind::Value, op, ": expected a dilation of at least 1, got ",
        dilation);
  check(all_within(padding, 0) && 2 * padding.h <= kernel.h && 2 * padding.w <= kernel.w,
        ErrorKind::Value, op, ": expected a padding of at most half the kernel_size ", kernel,
        ", got ", padding);
}

Shape pooled(std::string_view op, const Shape& x, Pair kernel, Pair stride, Pair padding,
             Pair dilation, bool ceil_mode) {
  check_window(op, kernel, stride, padding, dilation);
  check(all_within({x[2], x[3]}, 0), ErrorKind::Shape, op,
        ": expected an image of fewer than 2^31 rows and columns, got ", x);
  const int64_t oh = out_size(x[2], kernel.h, stride.h, padding.h, dilation.h, ceil_mode);
  const int64_t ow = out_size(x[3], kernel.w, stride.w, padding.w, dilation.w, ceil_mode);
  check(x[2] > 0 && x[3] > 0 && oh > 0 && ow > 0, ErrorKind::Shape, op,
        ": expected an image that holds the window ", kernel, ", got ", Pair(x[2], x[3]));
  return {x[0], x[1], oh, ow};
}

Shape resized(const Shape& x, Pair size) { return {x[0], x[1], size.h, size.w}; }

/// A gradient of an image like `image`, dense in its format.
Tensor dense_gradient(const Tensor& gy, const Tensor& image) {
  return detail::dense_gradient(gy, image.meta().memory_format());
}

/// Dense images of floats, and nothing else.
void check_images(std::string_view op, std::span<const Meta> in) {
  check_count(op, in, 1);
  check_floating(op, in[0].dtype);
  check_dense(op, in);
  check(in[0].dim() == 4, ErrorKind::Shape, op, ": expected x [N, C, H, W] or [C, H, W], got ",
        in[0].shape);
}

/// Runs `f` on a batch; an image without one gets it for the time being.
template <class F>
auto batched(const Tensor& x, const F& f) {
  const Tensor images = x.dim() == 3 ? unsqueeze(x, 0) : x;
  auto y = f(detail::dense(images, images.meta().memory_format()));
  if (x.dim() != 3) return y;
  for (Tensor& out : y) out = squeeze(out, 0);
  return y;
}

}  // namespace

Metas MaxPool2d::infer(std::span<const Meta> in) const {
  check_images(name, in);
  const Shape out = pooled(name, in[0].shape, kernel_size, stride, padding, dilation, ceil_mode);
  const Shape& x = in[0].shape;
  check(x[2] * x[3] <= INT32_MAX, ErrorKind::Shape, name,
        ": expected images of fewer than 2^31 elements, got ", x);
  return {checked_meta(name, out, in[0].dtype), checked_meta(name, out, int64)};
}

Metas MaxPool2dGrad::infer(std::span<const Meta> in) const {
  return infer_max_pool_grad(name, MaxPool2d{*this}, size, in);
}

Metas MaxPool2dGather::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_dense(name, in);
  const Metas out = MaxPool2d{*this}.infer(in.first(1));
  check_places(name, in[1], out[1]);
  return {out[0]};
}

Metas AvgPool2d::infer(std::span<const Meta> in) const {
  check_images(name, in);
  const Shape out = pooled(name, in[0].shape, kernel_size, stride, padding, 1, ceil_mode);
  return {checked_meta(name, out, in[0].dtype)};
}

Metas AvgPool2dGrad::infer(std::span<const Meta> in) const {
  check_images(name, in);
  const Shape x = resized(in[0].shape, size);
  const Shape y = pooled(name, x, kernel_size, stride, padding, 1, ceil_mode);
  check(in[0].shape == y, ErrorKind::Shape, name, ": expected gy of shape ", y, ", got ",
        in[0].shape);
  return {checked_meta(name, x, in[0].dtype)};
}

Tensors MaxPool2d::vjp(const Vjp& v) const {
  return {apply(MaxPool2dGrad{*this, v.in[0].HW()}, dense_gradient(v.gy[0], v.out[1]), v.out[1])};
}
Tensors MaxPool2dGrad::vjp(const Vjp& v) const {
  return {apply(MaxPool2dGather{*this}, dense_gradient(v.gy[0], v.in[1]), v.in[1]), Tensor()};
}
Tensors MaxPool2dGather::vjp(const Vjp& v) const {
  return {apply(MaxPool2dGrad{*this, v.in[0].HW()}, dense_gradient(v.gy[0], v.in[1]), v.in[1]),
          Tensor()};
}
Tensors AvgPool2d::vjp(const Vjp& v) const {
  return {apply(AvgPool2dGrad{*this, v.in[0].HW()}, dense_gradient(v.gy[0], v.in[0]))};
}
Tensors AvgPool2dGrad::vjp(const Vjp& v) const {
  return {apply(AvgPool2d{*this}, dense_gradient(v.gy[0], v.in[0]))};
}

namespace {

Tensors max_pool(const Tensor& x, Pair kernel_size, const MaxPool2dOptions& o) {
  const MaxPool2d op{
      {kernel_size, o.stride.value_or(kernel_size), o.padding, o.dilation, o.ceil_mode}};
  return composite(
      "max_pool2d",
      [op](const Tensor& a) {
        return batched(a, [&](const Tensor& images) {
          const std::array<Tensor, 1> in{images};
          return dispatch(Model(op), in);
        });
      },
      x);
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pair kernel_size, const MaxPool2dOptions& options) {
  return max_pool(x, kernel_size, options)[0];
}

ValuesIndices max_pool2d_with_indices(const Tensor& x, Pair kernel_size,
                                      const MaxPool2dOptions& options) {
  const Tensors out = max_pool(x, kernel_size, options);
  return {out[0], out[1]};
}

Tensor avg_pool2d(const Tensor& x, Pair kernel_size, const AvgPool2dOptions& o) {
  check(!o.divisor_override || *o.divisor_override != 0, ErrorKind::Value,
        "avg_pool2d: expected a divisor_override other than 0, got 0");
  const AvgPool2d op{{kernel_size, o.stride.value_or(kernel_size), o.padding, o.ceil_mode,
                      o.count_include_pad, o.divisor_override.value_or(0)}};
  return composite(
      "avg_pool2d",
      [op](const Tensor& a) {
        return batched(a, [&](const Tensor& images) { return Tensors{apply(op, images)}; })[0];
      },
      x);
}

}  // namespace reprise
