// Gradients of convolutions with respect to the weight: by cuDNN or by our own kernel.

#include "../../core/ops/conv.h"
#include "conv_dnn.h"
#include "conv_gemm.cuh"
#include "conv_workspace.h"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

template <class T>
void weight_grad(const Launch& l, const ConvWork& work) {
  const View &gy = l.in[0], &x = l.in[1], &gw = l.out[0];
  const ConvOperands operands{x.data, gw.data, gy.data};
  const auto by_dnn = find_dnn_conv(work, operands);
  if (by_dnn) return by_dnn->run(operands, l.workspace, l.stream);
  run_conv<ConvWeightGrad, T>(l.stream, work, gy.as<T>(), x.as<T>(), {}, gw.as<T>(), l.workspace);
}

}  // namespace
}  // namespace cuda

void Conv2dWeightGrad::cuda(const Launch& l) const {
  const ConvShape s = conv_shape(*this, l.in[0].meta->shape, l.in[1].meta->shape);
  const cuda::ConvWork work = cuda::conv_work(ConvPass::weight_grad, s, l);
  cuda::visit_any_floating(name, work.dtype, [&]<class T>() { cuda::weight_grad<T>(l, work); });
}

}  // namespace reprise
