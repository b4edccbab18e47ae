// Conv2d alone and with what follows it, and weights packed for it, which are left as they are.

#include "../../core/ops/fused_conv.h"
#include "activation.h"
#include "conv_gemm.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T>
void forward(const Launch& l, const ConvShape& s, const ConvTail<T>& tail) {
  run_conv<ConvForward>(l.stream, s, l.in[1].as<T>(), l.in[0].as<T>(), tail, l.out[0].as<T>(),
                        l.workspace);
}

}  // namespace
}  // namespace cuda

void Conv2d::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    const T* bias = l.in.size() == 3 ? l.in[2].as<T>() : nullptr;
    cuda::forward<T>(l, s, {.bias = bias});
  });
}

void FusedConv2d::cuda(const Launch& l) const {
  const Shape& weight = packed ? weight_shape : l.in[1].meta->shape;
  const ConvShape s = conv_shape(Conv2d{*this}, l.in[0].meta->shape, weight);
  const std::span factors = l.in.subspan(2 + size_t{bias}, 2 * size_t{scaled});
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    cuda::forward<T>(l, s,
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
