// Conv2d alone and with what follows it: by cuDNN and then what follows, or in one kernel of ours.
// Packed weights are left as they are.

#include "../../core/ops/fused_conv.h"
#include "activation.h"
#include "conv_dnn.h"
#include "conv_gemm.cuh"
#include "conv_workspace.h"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

template <class T>
void forward(const Launch& l, const ConvWork& work, ConvTail<T> tail) {
  const View &x = l.in[0], &w = l.in[1], &y = l.out[0];
  const ConvOperands operands{x.data, w.data, y.data, work.bias ? l.in[2].data : nullptr};
  const auto by_dnn = find_dnn_conv(work, operands);
  if (!by_dnn) {
    return run_conv<ConvForward>(l.stream, work, w.as<const T>(), x.as<const T>(), tail, y.as<T>(),
                                 l.workspace);
  }
  by_dnn->run(operands, l.workspace, l.stream);
  if (by_dnn->work.bias) tail.bias = nullptr;
  const bool more = tail.bias || tail.scale || tail.residual || tail.relu;
  if (more) finish_conv<T>(l.stream, work, y.as<T>(), 1, tail, y.as<T>());
}

}  // namespace
}  // namespace cuda

void Conv2d::cuda(const Launch& l) const {
  const bool bias = l.in.size() == 3;
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  const cuda::ConvWork work = cuda::conv_work(ConvPass::forward, s, l, bias);
  cuda::visit_any_floating(name, work.dtype, [&]<class T>() {
    cuda::forward<T>(l, work, {.bias = bias ? l.in[2].as<T>() : nullptr});
  });
}

void FusedConv2d::cuda(const Launch& l) const {
  const Shape& weight = packed ? weight_shape : l.in[1].meta->shape;
  const ConvShape s = conv_shape(Conv2d{*this}, l.in[0].meta->shape, weight);
  const cuda::ConvWork work = cuda::conv_work(ConvPass::forward, s, l, bias);
  const std::span factors = l.in.subspan(2 + size_t{bias}, 2 * size_t{scaled});
  cuda::visit_any_floating(name, work.dtype, [&]<class T>() {
    cuda::forward<T>(l, work,
                     {.bias = bias ? l.in[2].as<T>() : nullptr,
                      .scale = scaled ? factors[0].as<T>() : nullptr,
                      .shift = scaled ? factors[1].as<T>() : nullptr,
                      .residual = residual ? l.in.back().as<T>() : nullptr,
                      .relu = activation == Activation::relu});
  });
  if (l.out[0].meta->numel() != 0) cuda::activate_in_place(activation, l);
}

void PackConvWeight::cuda(const Launch& l) const {
  const size_t bytes = l.in[0].meta->nbytes(), all = l.out[0].meta->nbytes();
  auto* const stream = static_cast<cudaStream_t>(l.stream.handle);
  auto* const to = l.out[0].as<std::byte>();
  REPRISE_CUDA_CHECK(cudaMemcpyAsync(to, l.in[0].data, bytes, cudaMemcpyDeviceToDevice, stream));
  REPRISE_CUDA_CHECK(cudaMemsetAsync(to + bytes, 0, all - bytes, stream));
}

}  // namespace reprise
