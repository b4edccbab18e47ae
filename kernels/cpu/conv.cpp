// Conv2d and its gradients: attributes and shapes to the problem that conv_kernels.h solves, and
// the scratch that they need on any device.

#include "../../core/ops/fused_conv.h"

#include "conv_kernels.h"
#if defined(REPRISE_HAS_CUDA)
#include "../cuda/conv_workspace.h"
#endif

namespace reprise {
namespace {

/// on_cpu<T>() for the CPU's kernels, else what those of CUDA take for a pass over these operands.
template <class F>
size_t scratch(std::string_view op, [[maybe_unused]] ConvPass pass,
               [[maybe_unused]] const ConvShape& s, std::span<const Meta> in,
               [[maybe_unused]] bool bias, [[maybe_unused]] Device device, F on_cpu) {
#if defined(REPRISE_HAS_CUDA)
  if (device.kind == Device::Kind::cuda) {
    return cuda::conv_workspace(cuda::conv_work(pass, s, in, bias), device);
  }
#endif
  return visit_floating(op, in[0].dtype, on_cpu);
}

}  // namespace

size_t Conv2d::workspace(std::span<const Meta> in, Device device) const {
  const ConvShape s = conv_shape(*this, in[0].shape, in[1].shape);
  return scratch(name, ConvPass::forward, s, in, in.size() == 3, device,
                 [&]<class T>() { return cpu::conv2d_workspace<T>(s); });
}

void Conv2d::cpu(const Launch& l) const {
  const View &x = l.in[0], &w = l.in[1], &y = l.out[0];
  visit_floating(name, y.meta->dtype, [&]<class T>() {
    const T* bias = l.in.size() == 3 ? l.in[2].as<T>() : nullptr;
    cpu::conv2d(conv_shape(*this, x.meta->shape, w.meta->shape), x.as<T>(), w.as<T>(), bias,
                y.as<T>(), l.workspace);
  });
}

// ---- fused

namespace {

/// A packed weight has lost its shape.
ConvShape conv_shape(const FusedConv2d& op, const Shape& x, const Shape& weight) {
  return conv_shape(Conv2d{op}, x, op.packed ? op.weight_shape : weight);
}

/// Those that no convolution has in its store.
void activate_in_place(Activation activation, const View& y) {
  const std::span<const View> both(&y, 1);
  const Launch launch{.in = both, .out = both, .workspace = nullptr, .stream = {}};
  if (activation == Activation::tanh) return Tanh{}.cpu(launch);
  if (activation == Activation::sigmoid) return Sigmoid{}.cpu(launch);
  if (activation == Activation::gelu) return Gelu{}.cpu(launch);
  if (activation == Activation::gelu_tanh) return GeluTanh{}.cpu(launch);
}

}  // namespace

size_t FusedConv2d::workspace(std::span<const Meta> in, Device device) const {
  const ConvShape s = conv_shape(*this, in[0].shape, in[1].shape);
  return scratch(name, ConvPass::forward, s, in, bias, device,
                 [&]<class T>() { return cpu::conv2d_workspace<T>(s); });
}

void FusedConv2d::cpu(const Launch& l) const {
  const View &x = l.in[0], &w = l.in[1], &y = l.out[0];
  const std::span factors = l.in.subspan(2 + size_t{bias}, 2 * size_t{scaled});
  visit_floating(name, y.meta->dtype, [&]<class T>() {
    const ConvTail<T> tail{.bias = bias ? l.in[2].as<T>() : nullptr,
                           .scale = scaled ? factors[0].as<T>() : nullptr,
                           .shift = scaled ? factors[1].as<T>() : nullptr,
                           .residual = residual ? l.in.back().as<T>() : nullptr,
                           .relu = activation == Activation::relu};
    cpu::fused_conv2d(conv_shape(*this, x.meta->shape, w.meta->shape), x.as<T>(), w.as<T>(), packed,
                      tail, y.as<T>(), l.workspace);
  });
  activate_in_place(activation, y);
}

void PackConvWeight::cpu(const Launch& l) const {
  const View &w = l.in[0], &packed = l.out[0];
  const Meta& m = *w.meta;
  visit_floating(name, m.dtype, [&]<class T>() {
    const Shape& k = m.shape;
    cpu::pack_conv2d_weight(conv_shape(*this, 1, k[1] * groups, size, k[0], {k[2], k[3]}),
                            w.as<T>(), packed.as<T>());
  });
}

// ---- gradients

size_t Conv2dInputGrad::workspace(std::span<const Meta> in, Device device) const {
  const ConvShape s = conv_shape(*this, in[0].shape, in[1].shape);
  return scratch(name, ConvPass::input_grad, s, in, false, device,
                 [&]<class T>() { return cpu::conv2d_grad_input_workspace<T>(s); });
}

void Conv2dInputGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &w = l.in[1], &gx = l.out[0];
  visit_floating(name, gx.meta->dtype, [&]<class T>() {
    cpu::conv2d_grad_input(conv_shape(*this, gy.meta->shape, w.meta->shape), gy.as<T>(), w.as<T>(),
                           gx.as<T>(), l.workspace);
  });
}

size_t FusedConv2dInputGrad::workspace(std::span<const Meta> in,
                                       [[maybe_unused]] Device device) const {
  const ConvShape s = conv_shape(Conv2dInputGrad{*this, size}, in[0].shape, in[1].shape);
#if defined(REPRISE_HAS_CUDA)
  if (device.kind == Device::Kind::cuda) {
    return cuda::masked_conv_workspace(cuda::conv_work(ConvPass::input_grad, s, in), device);
  }
#endif
  return scratch(name, ConvPass::input_grad, s, in, false, device,
                 [&]<class T>() { return cpu::masked_conv2d_grad_input_workspace<T>(s); });
}

void FusedConv2dInputGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &w = l.in[1], &y = l.in[2], &gx = l.out[0];
  visit_floating(name, gx.meta->dtype, [&]<class T>() {
    cpu::masked_conv2d_grad_input(
        conv_shape(Conv2dInputGrad{*this, size}, gy.meta->shape, w.meta->shape), gy.as<T>(),
        w.as<T>(), y.as<T>(), gx.as<T>(), l.workspace);
  });
}

size_t Conv2dWeightGrad::workspace(std::span<const Meta> in, Device device) const {
  const ConvShape s = conv_shape(*this, in[0].shape, in[1].shape);
  return scratch(name, ConvPass::weight_grad, s, in, false, device,
                 [&]<class T>() { return cpu::conv2d_grad_weight_workspace<T>(s); });
}

void Conv2dWeightGrad::cpu(const Launch& l) const {
  const View &gy = l.in[0], &x = l.in[1], &gw = l.out[0];
  visit_floating(name, gw.meta->dtype, [&]<class T>() {
    cpu::conv2d_grad_weight(conv_shape(*this, gy.meta->shape, x.meta->shape), x.as<T>(), gy.as<T>(),
                            gw.as<T>(), l.workspace);
  });
}

}  // namespace reprise
