// MatMul and Linear: cuBLASLt where it can, our own product for all else.

#include "../../core/cuda.h"
#include "../../core/model.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/reduce.h"
#include "../../core/tensor.h"
#include "activation.h"
#include "blas_matmul.h"
#include "gemm.h"

namespace reprise {
namespace cuda {
namespace {

void multiply(const Product& product, const Launch& l) {
  if (product.batch == 0 || product.m == 0 || product.n == 0) return;
  const Product p = folded(product);
  if (try_blas(p, l.workspace, l.stream)) return;
  if (try_thin_gemm(p, l.stream)) return;
  gemm(p, l.stream);
}

/// cuBLASLt's GELU has other bits than the op; who allows TF32 has given up more than that.
bool gelu_in_product(const Product& p, Activation activation) {
  return activation == Activation::gelu_tanh && p.bias != nullptr && p.dtype == float32 &&
         p.m != 0 && p.n != 0 && allow_tf32();
}

void linear(const Launch& l, Activation activation) {
  Product p = product_of(l.in[0], l.in[1], l.out[0]);
  p.b = p.b.transposed();
  if (l.in.size() == 3) p.bias = l.in[2].data;
  p.relu = activation == Activation::relu;
  if (gelu_in_product(p, activation)) {
    p.gelu = true;
    if (try_blas(p, l.workspace, l.stream)) return;
    p.gelu = false;
  }
  multiply(p, l);
  if (l.out[0].meta->numel() != 0) activate_in_place(activation, l);
}

}  // namespace
}  // namespace cuda

void MatMul::cuda(const Launch& l) const {
  cuda::multiply(cuda::product_of(l.in[0], l.in[1], l.out[0]), l);
}

void Linear::cuda(const Launch& l) const { cuda::linear(l, Activation::none); }

namespace cuda {
namespace {

/// With TF32 cuBLASLt may also round what it sums on the way.
bool sums_in_product(const Product& p) {
  return p.m != 0 && p.n != 0 && (p.dtype != float32 || !allow_tf32());
}

}  // namespace
}  // namespace cuda

void LinearWeightGrad::cuda(const Launch& l) const {
  const View &gy = l.in[0], &x = l.in[1];
  Meta turned = *gy.meta;
  std::swap(turned.shape[0], turned.shape[1]);
  std::swap(turned.strides[0], turned.strides[1]);
  cuda::Product p = cuda::product_of({gy.data, &turned}, x, l.out[0]);
  p.sums = l.out[1].data;
  if (cuda::sums_in_product(p) && cuda::try_blas(p, l.workspace, l.stream)) return;
  p.sums = nullptr;
  cuda::multiply(p, l);
  if (l.out[1].meta->numel() == 0) return;
  Model(Sum{{0}, false})
      .launch(gy.meta->device, {l.in.first(1), l.out.subspan(1), l.workspace, l.stream});
}

void FusedLinear::cuda(const Launch& l) const { cuda::linear(l, activation); }

}  // namespace reprise
