// Conv2d and its gradients: attributes and shapes to the problem that conv_kernels.h solves.

#include "../../core/ops/fused_conv.h"

#include "conv_kernels.h"

namespace reprise {
namespace {

/// The problem for an image, a weight and a batch of these shapes.
cpu::ConvShape problem(const ConvAttributes& a, int64_t batch, int64_t channels, Pair image,
                       int64_t out_channels, Pair kernel) {
  return {.batch = batch,
          .in_channels = channels,
          .height = image.h,
          .width = image.w,
          .out_channels = out_channels,
          .kernel_h = kernel.h,
          .kernel_w = kernel.w,
          .stride_h = a.stride.h,
          .stride_w = a.stride.w,
          .pad_h = a.padding.h,
          .pad_w = a.padding.w,
          .dilation_h = a.dilation.h,
          .dilation_w = a.dilation.w,
          .groups = a.groups};
}

cpu::ConvShape problem(const Conv2d& op, const Meta& x, const Meta& w) {
  return problem(op, x.shape[0], x.shape[1], {x.shape[2], x.shape[3]}, w.shape[0],
                 {w.shape[2], w.shape[3]});
}

cpu::ConvShape problem(const Conv2dInputGrad& op, const Meta& gy, const Meta& w) {
  return problem(op, gy.shape[0], w.shape[1] * op.groups, op.size, w.shape[0],
                 {w.shape[2], w.shape[3]});
}

cpu::ConvShape problem(const Conv2dWeightGrad& op, const Meta& gy, const Meta& x) {
  return problem(op, x.shape[0], x.shape[1], {x.shape[2], x.shape[3]}, gy.shape[1], op.size);
}

}  // namespace

size_t Conv2d::workspace(std::span<const Meta> in, Device) const {
  return visit_floating(name, in[0].dtype, [&]<class T>() {
    return cpu::conv2d_workspace<T>(problem(*this, in[0], in[1]));
  });
}

void Conv2d::cpu(const Launch& l) const {
  const View &x = l.in[0], &w = l.in[1], &y = l.out[0];
  visit_floating(name, y.meta->dtype, [&]<class T>() {
    const T* bias = l.in.size() == 3 ? l.in[2].as<T>() : nullptr;
    cpu::conv2d(problem(*this, *x.meta, *w.meta), x.as<T>(), w.as<T>(), bias, y.as<T>(),
                l.workspace);
  });
}

// ---- fused

namespace {

/// A packed weight has lost its shape.
Meta weight_meta(const FusedConv2d& op, const Meta& weight) {
  return op.packed ? Meta(op.weight_shape, weight.dtype) : weight;
}

/// Those that no convolution has in its store.
void activate_in_place(Activation activation, const View& y) {
  const std::span<const View> both(&y, 1);
  const Launch launch{.in = both, .out = both, .workspace = nullptr, .stream = {}};
  if (activation == Activation::tanh) return Tanh{}.cpu(launch);
  if (activation == Activation::sigmoid) return Sigmoid{}.cpu(launch);
}

}  // namespace

size_t FusedConv2d::workspace(std::span<const Meta> in, Device device) const {
  const Meta operands[] = {in[0], weight_meta(*this, in[1])};
  return Conv2d{*this}.workspace(operands, device);
}

void FusedConv2d::cpu(const Launch& l) const {
  const View &x = l.in[0], &w = l.in[1], &y = l.out[0];
  const std::span factors = l.in.subspan(2 + size_t{bias}, 2 * size_t{scaled});
  visit_floating(name, y.meta->dtype, [&]<class T>() {
    const cpu::ConvTail<T> tail{.bias = bias ? l.in[2].as<T>() : nullptr,
                                .scale = scaled ? factors[0].as<T>() : nullptr,
                                .shift = scaled ? factors[1].as<T>() : nullptr,
                                .residual = residual ? l.in.back().as<T>() : nullptr,
                                .relu = activation == Activation::relu};
    cpu::fused_conv2d(problem(Conv2d{*this}, *x.meta, weight_meta(*this, *w.meta)), x.as<T>(),
                      w.as<T>(), packed, tail, y.as<T>(), l.workspace);
  });
  activate_in_place(activation, y);
}

void PackConvWeight::cpu(const Launch& l) const {
  const View &w = l.in[0], &packed = l.out[0];
  const Meta& m = *w.meta;
  visit_floating(name, m.dtype, [&]<class T>() {
    const Shape& k = m.shape;
    cpu::pack_conv2d_weight(problem(*this, 1, k[1] * groups, size, k[0], {k[2], k[3]}), w.as<T>(),
                            packed.as<T>());
  });
}

// ---- gradients

size_t Conv2dInputGrad::workspace(std::span<const Meta> in, Device) const {
  return visit_floating(name, in[0].dtype, [&]<class T>() {
    return cpu::conv2d_grad_input_workspace<T>(problem(*this, in[0], in[1]));
  });
}

void Conv2dInputGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &w = l.in[1], &gx = l.out[0];
  visit_floating(name, gx.meta->dtype, [&]<class T>() {
    cpu::conv2d_grad_input(problem(*this, *gy.meta, *w.meta), gy.as<T>(), w.as<T>(), gx.as<T>(),
                           l.workspace);
  });
}

size_t FusedConv2dInputGrad::workspace(std::span<const Meta> in, Device) const {
  return visit_floating(name, in[0].dtype, [&]<class T>() {
    return cpu::masked_conv2d_grad_input_workspace<T>(
        problem(Conv2dInputGrad{*this, size}, in[0], in[1]));
  });
}

void FusedConv2dInputGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &w = l.in[1], &y = l.in[2], &gx = l.out[0];
  visit_floating(name, gx.meta->dtype, [&]<class T>() {
    cpu::masked_conv2d_grad_input(problem(Conv2dInputGrad{*this, size}, *gy.meta, *w.meta),
                                  gy.as<T>(), w.as<T>(), y.as<T>(), gx.as<T>(), l.workspace);
  });
}

size_t Conv2dWeightGrad::workspace(std::span<const Meta> in, Device) const {
  return visit_floating(name, in[0].dtype, [&]<class T>() {
    return cpu::conv2d_grad_weight_workspace<T>(problem(*this, in[0], in[1]));
  });
}

void Conv2dWeightGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &x = l.in[1], &gw = l.out[0];
  visit_floating(name, gw.meta->dtype, [&]<class T>() {
    cpu::conv2d_grad_weight(problem(*this, *gy.meta, *x.meta), x.as<T>(), gy.as<T>(), gw.as<T>(),
                            l.workspace);
  });
}

}  // namespace reprise
