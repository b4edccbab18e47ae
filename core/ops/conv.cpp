#include "conv.h"

#include <algorithm>
#include <initializer_list>

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"
#include "dense_gradient.h"
#include "memory_format.h"

namespace reprise {
namespace {

// Every size and attribute is below 2^31, so that their products of two fit, and no buffer that a
// kernel may want is larger than this many elements.
constexpr double kMostElements = 0x1p48;

int64_t out_size(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
  return room < 0 ? 0 : room / stride + 1;
}

bool all_within(Pair p, int64_t low) {
  return std::min(p.h, p.w) >= low && std::max(p.h, p.w) <= INT32_MAX;
}

void check_attributes(std::string_view op, const ConvAttributes& a) {
  check(all_within(a.stride, 1), ErrorKind::Value, op, ": expected a stride of at least 1, got ",
        a.stride);
  check(all_within(a.padding, 0), ErrorKind::Value, op, ": expected a padding of at least 0, got ",
        a.padding);
  check(all_within(a.dilation, 1), ErrorKind::Value, op,
        ": expected a dilation of at least 1, got ", a.dilation);
  check(a.groups > 0 && a.groups <= INT32_MAX, ErrorKind::Value, op,
        ": expected groups of at least 1, got ", a.groups);
}

void check_volume(std::string_view op, const ConvAttributes& a, const Shape& x, const Shape& w,
                  Pair out) {
  const auto product = [](std::initializer_list<int64_t> sizes) {
    double all = 1;
    for (int64_t s : sizes) all *= static_cast<double>(std::max<int64_t>(s, 1));
    return all;
  };
  const double padded = product({x[0], x[1], x[2] + 2 * a.padding.h, x[3] + 2 * a.padding.w});
  const double patches = product({x[0], x[1], w[2], w[3], out.h, out.w});
  const double result = product({x[0], w[0], out.h, out.w});
  check(std::max({padded, patches, result, product({w[0], w[1], w[2], w[3]})}) <= kMostElements,
        ErrorKind::Shape, op, ": x ", x, " and weight ", w, " are too large");
}

/// The shape of y for x and a weight, all attributes and shapes checked.
Shape convolved(std::string_view op, const ConvAttributes& a, const Shape& x, const Shape& w) {
  check_attributes(op, a);
  check(x.size() == 4, ErrorKind::Shape, op, ": expected x [N, C, H, W] or [C, H, W], got ", x);
  check(w.size() == 4, ErrorKind::Shape, op, ": expected weight [out, in/groups, kh, kw], got ", w);
  const int64_t channels = checked_mul(op, w[1], a.groups);
  check(x[1] == channels, ErrorKind::Shape, op, ": expected x with ", channels,
        " channels for weight ", w, " and groups = ", a.groups, ", got ", x[1], " in ", x);
  check(w[0] >= 0 && w[0] % a.groups == 0, ErrorKind::Shape, op,
        ": expected out channels divisible by groups = ", a.groups, ", got weight ", w);
  check(all_within({w[2], w[3]}, 1), ErrorKind::Shape, op,
        ": expected a kernel of at least 1x1, got ", w[2], "x", w[3]);
  const bool sound = all_within({x[2], x[3]}, 1);
  const int64_t oh = sound ? out_size(x[2], w[2], a.stride.h, a.padding.h, a.dilation.h) : 0;
  const int64_t ow = sound ? out_size(x[3], w[3], a.stride.w, a.padding.w, a.dilation.w) : 0;
  check(oh > 0 && ow > 0, ErrorKind::Shape, op, ": expected an image that holds the kernel ",
        Pair(w[2], w[3]), " with dilation ", a.dilation, ", got ", Pair(x[2], x[3]),
        " with padding ", a.padding);
  check_volume(op, a, x, w, {oh, ow});
  return {x[0], w[0], oh, ow};
}

/// Operands dense in one format and of one floating-point dtype, the first two of four dimensions.
void check_operands(std::string_view op, std::span<const Meta> in) {
  check_floating(op, in);
  check_dense(op, in);
}

void check_gy(std::string_view op, const Shape& gy, const Shape& y) {
  check(gy == y, ErrorKind::Shape, op, ": expected gy of shape ", y, ", got ", gy);
}

std::array<Tensor, 2> dense(const Tensor& a, const Tensor& b) {
  const MemoryFormat format = detail::common_format(a, b);
  return {detail::dense(a, format), detail::dense(b, format)};
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
  const Shape &x = in[0].shape, &w = in[1].shape, y = convolved(name, *this, x, w);
  check_operands(name, in);
  check(in.size() == 2 || in[2].shape == Shape{w[0]}, ErrorKind::Shape,
        "conv2d: expected a bias of shape [", w[0], "], got ", in.back().shape);
  return {Meta(y, in[0].dtype)};
}

Metas Conv2dInputGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_operands(name, in);
  const Shape &gy = in[0].shape, &w = in[1].shape;
  check(gy.size() == 4 && w.size() == 4, ErrorKind::Shape, name,
        ": expected gy [N, out, H, W] and weight [out, in/groups, kh, kw], got ", gy, " and ", w);
  const Shape x{gy[0], checked_mul(name, w[1], groups), size.h, size.w};
  check_gy(name, gy, convolved(name, *this, x, w));
  return {Meta(x, in[0].dtype)};
}

Metas Conv2dWeightGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 2);
  check_operands(name, in);
  const Shape &gy = in[0].shape, &x = in[1].shape;
  check(gy.size() == 4 && x.size() == 4 && groups > 0, ErrorKind::Shape, name,
        ": expected gy [N, out, H, W], x [N, C, H, W] and groups of at least 1, got ", gy, ", ", x,
        " and ", groups);
  const Shape w{gy[1], x[1] / groups, size.h, size.w};
  check_gy(name, gy, convolved(name, *this, x, w));
  return {Meta(w, in[0].dtype)};
}

// With * for the convolution, gx = gy *' w and gw = gy *'' x: each is linear in both operands, so
// the three gradients below say the same thing.

Tensors Conv2d::vjp(const Vjp& v) const {
  const Tensor &x = v.in[0], &w = v.in[1];
  const Tensor gy = detail::dense_gradient(v.gy[0], detail::common_format(v.gy[0], x, w));
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
