// Gradients of convolutions with respect to the weight: by cuDNN or by our own kernel.

#include "../../core/ops/conv.h"
#include "conv_dnn.h"
#include "conv_gemm.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T>
void weight_grad(const Launch& l, const ConvShape& s) {
  const View &gy = l.in[0], &x = l.in[1], &gw = l.out[0];
  const ConvOperands operands{x.data, gw.data, gy.data};
  const auto by_dnn = find_dnn_conv(ConvPass::weight_grad, s, gw.meta->dtype, operands);
  if (by_dnn) return by_dnn->run(operands, l.workspace, l.stream);
  run_conv<ConvWeightGrad, T>(l.stream, s, gy.as<T>(), x.as<T>(), {}, gw.as<T>(), l.workspace);
}

}  // namespace
}  // namespace cuda

void Conv2dWeightGrad::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() { cuda::weight_grad<T>(l, s); });
}

}  // namespace reprise
