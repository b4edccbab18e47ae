// Gradients of convolutions with respect to the input: by cuDNN or by our own kernel.

#include "../../core/ops/fused_conv.h"
#include "conv_dnn.h"
#include "conv_gemm.cuh"
#include "conv_workspace.h"
#include "mask.h"
#include "on_device.h"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

/// A mask may lie where the gradient is written, so it is kept before cuDNN writes.
template <class T>
void input_grad(const Launch& l, const ConvWork& work, const T* mask) {
  const View &gy = l.in[0], &w = l.in[1], &gx = l.out[0];
  const ConvOperands operands{gx.data, w.data, gy.data};
  const auto by_dnn = find_dnn_conv(work, operands);
  if (!by_dnn) {
    return run_conv<ConvInputGrad, T>(l.stream, work, w.as<T>(), gy.as<T>(), {.mask = mask},
                                      gx.as<T>(), l.workspace);
  }
  if (mask == nullptr) return by_dnn->run(operands, l.workspace, l.stream);
  const size_t offset = conv_mask_offset(work, Device::cuda(current_device()));
  auto* const bits = reinterpret_cast<uint32_t*>(static_cast<std::byte*>(l.workspace) + offset);
  keep_mask(l.stream, mask, bits, gx.meta->numel());
  by_dnn->run(operands, l.workspace, l.stream);
  apply_mask(l.stream, bits, gx.as<T>(), gx.meta->numel());
}

}  // namespace
}  // namespace cuda

void Conv2dInputGrad::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  const cuda::ConvWork work = cuda::conv_work(ConvPass::input_grad, s, l);
  cuda::visit_any_floating(name, work.dtype,
                           [&]<class T>() { cuda::input_grad<T>(l, work, nullptr); });
}

void FusedConv2dInputGrad::cuda(const Launch& l) const {
  const Conv2dInputGrad op{*this, size};
  const ConvShape s = conv_shape(op, l.in[0].meta->shape, l.in[1].meta->shape);
  const cuda::ConvWork work = cuda::conv_work(ConvPass::input_grad, s, l);
  cuda::visit_any_floating(name, work.dtype,
                           [&]<class T>() { cuda::input_grad<T>(l, work, l.in[2].as<T>()); });
}

}  // namespace reprise
