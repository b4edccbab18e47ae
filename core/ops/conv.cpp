#include "conv.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {
namespace {

int64_t out_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  const int64_t padded = checked_add("conv2d", size, checked_mul("conv2d", 2, padding));
  const int64_t room = padded - checked_mul("conv2d", dilation, kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

void check_attributes(const ConvAttributes& a) {
  check(a.stride.h > 0 && a.stride.w > 0, ErrorKind::Value,
        "conv2d: expected a stride of at least 1, got ", a.stride);
  check(a.padding.h >= 0 && a.padding.w >= 0, ErrorKind::Value,
        "conv2d: expected a padding of at least 0, got ", a.padding);
  check(a.dilation.h > 0 && a.dilation.w > 0, ErrorKind::Value,
        "conv2d: expected a dilation of at least 1, got ", a.dilation);
  check(a.groups > 0, ErrorKind::Value, "conv2d: expected groups of at least 1, got ", a.groups);
}

/// The shape of y for x and weight.
Shape convolved(const ConvAttributes& a, const Shape& x, const Shape& w) {
  check_attributes(a);
  check(x.size() == 4, ErrorKind::Shape, "conv2d: expected x [N, C, H, W] or [C, H, W], got ", x);
  check(w.size() == 4, ErrorKind::Shape, "conv2d: expected weight [out, in/groups, kh, kw], got ",
        w);
  const int64_t channels = checked_mul("conv2d", w[1], a.groups);
  check(x[1] == channels, ErrorKind::Shape, "conv2d: expected x with ", channels,
        " channels for weight ", w, " and groups = ", a.groups, ", got ", x[1], " in ", x);
  check(w[0] % a.groups == 0, ErrorKind::Shape,
        "conv2d: expected out channels divisible by groups = ", a.groups, ", got weight ", w);
  check(w[2] > 0 && w[3] > 0, ErrorKind::Shape, "conv2d: expected a kernel of at least 1x1, got ",
        w[2], "x", w[3]);
  const int64_t oh = out_size(x[2], w[2], a.stride.h, a.padding.h, a.dilation.h);
  const int64_t ow = out_size(x[3], w[3], a.stride.w, a.padding.w, a.dilation.w);
  check(oh > 0 && ow > 0, ErrorKind::Shape, "conv2d: expected an image that holds the kernel ",
        Pair(w[2], w[3]), " with dilation ", a.dilation, ", got ", Pair(x[2], x[3]),
        " with padding ", a.padding);
  return {x[0], w[0], oh, ow};
}

/// Of the gradients: two images or weights, and what goes with them.
void check_grad_operands(std::string_view op, std::span<const Meta> in) {
  check_count(op, in, 2);
  for (const Meta& m : in) {
    check(m.dim() == 4, ErrorKind::Shape, op, ": expected four dimensions, got ", m.shape);
  }
  check_floating(op, in);
  check_dense(op, in);
}

void check_grad(std::string_view op, const Shape& gy, const Shape& y) {
  check(gy == y, ErrorKind::Shape, op, ": expected a gradient of shape ", y, ", got ", gy);
}

std::array<Tensor, 2> dense(const Tensor& a, const Tensor& b) {
  return {a.contiguous(), b.contiguous()};
}

Tensor convolve(const ConvAttributes& a, const Tensor& x, const Tensor& w) {
  const auto [p, q] = dense(x, w);
  return apply(Conv2d{a}, p, q);
}
Tensor input_grad(const ConvAttributes& a, const Tensor& gy, const Tensor& w, Pair size) {
  const auto [p, q] = dense(gy, w);
  return apply(Conv2dInputGrad{a, size}, p, q);
}
Tensor weight_grad(const ConvAttributes& a, const Tensor& gy, const Tensor& x, Pair size) {
  const auto [p, q] = dense(gy, x);
  return apply(Conv2dWeightGrad{a, size}, p, q);
}

}  // namespace

Metas Conv2d::infer(std::span<const Meta> in) const {
  check_count(name, in, 2, 3);
  const Shape &x = in[0].shape, &w = in[1].shape, y = convolved(*this, x, w);
  check(in.size() == 2 || in[2].shape == Shape{w[0]}, ErrorKind::Shape,
        "conv2d: expected a bias of shape [", w[0], "], got ", in.back().shape);
  check_floating(name, in);
  check_dense(name, in);
  return {checked_meta(name, y, in[0].dtype)};
}

Metas Conv2dInputGrad::infer(std::span<const Meta> in) const {
  check_grad_operands(name, in);
  const Shape &gy = in[0].shape, &w = in[1].shape;
  const Shape x{gy[0], checked_mul(name, w[1], groups), size.h, size.w};
  check_grad(name, gy, convolved(*this, x, w));
  return {checked_meta(name, x, in[0].dtype)};
}

Metas Conv2dWeightGrad::infer(std::span<const Meta> in) const {
  check_grad_operands(name, in);
  check_attributes(*this);
  const Shape &gy = in[0].shape, &x = in[1].shape;
  const Shape w{gy[1], x[1] / groups, size.h, size.w};
  check_grad(name, gy, convolved(*this, x, w));
  return {checked_meta(name, w, in[0].dtype)};
}

// With * for the convolution, gx = gy *' w and gw = gy *'' x: each is linear in both operands, so
// the three gradients below say the same thing.

Tensors Conv2d::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &x = v.in[0], &w = v.in[1];
  Tensors g(v.in.size());
  if (v.needs[1]) g[1] = weight_grad(*this, gy, x, w.HW());
  if (v.in.size() == 3 && v.needs[2]) g[2] = sum(gy, {0, 2, 3});
  if (v.needs[0]) g[0] = input_grad(*this, gy, w, x.HW());  // last: x is not needed beside it
  return g;
}

Tensors Conv2dInputGrad::vjp(const Vjp& v) const {
  const Tensor &ggx = v.gy[0], &gy = v.in[0], &w = v.in[1];
  return {v.needs[0] ? convolve(*this, ggx, w) : Tensor(),
          v.needs[1] ? weight_grad(*this, gy, ggx, w.HW()) : Tensor()};
}

Tensors Conv2dWeightGrad::vjp(const Vjp& v) const {
  const Tensor &ggw = v.gy[0], &gy = v.in[0], &x = v.in[1];
  return {v.needs[0] ? convolve(*this, x, ggw) : Tensor(),
          v.needs[1] ? input_grad(*this, gy, ggw, x.HW()) : Tensor()};
}

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& options) {
  const Conv2d op{{options.stride, options.padding, options.dilation, options.groups}};
  return composite(
      "conv2d",
      [op](const Tensor& a, const Tensor& w, const Tensor& b) {
        if (a.dim() == 3) {
          return squeeze(
              conv2d(unsqueeze(a, 0), w, b, {op.stride, op.padding, op.dilation, op.groups}), 0);
        }
        const auto [p, q] = dense(a, w);
        return b.defined() ? apply(op, p, q, b.contiguous()) : apply(op, p, q);
      },
      x, weight, bias);
}

}  // namespace reprise
