// Gradients of convolutions.

#include "../../core/ops/fused_conv.h"
#include "conv_gemm.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T>
void input_grad(const Launch& l, const ConvShape& s, const T* mask) {
  run_conv<ConvInputGrad, T>(l.stream, s, l.in[1].as<T>(), l.in[0].as<T>(), {.mask = mask},
                             l.out[0].as<T>(), l.workspace);
}

}  // namespace
}  // namespace cuda

void Conv2dInputGrad::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  visit_floating(name, l.out[0].meta->dtype,
                 [&]<class T>() { cuda::input_grad<T>(l, s, nullptr); });
}

void FusedConv2dInputGrad::cuda(const Launch& l) const {
  const Conv2dInputGrad op{*this, size};
  const ConvShape s = conv_shape(op, l.in[0].meta->shape, l.in[1].meta->shape);
  visit_floating(name, l.out[0].meta->dtype,
                 [&]<class T>() { cuda::input_grad<T>(l, s, l.in[2].as<T>()); });
}

void Conv2dWeightGrad::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    cuda::run_conv<cuda::ConvWeightGrad, T>(l.stream, s, l.in[0].as<T>(), l.in[1].as<T>(), {},
                                            l.out[0].as<T>(), l.workspace);
  });
}

}  // namespace reprise
