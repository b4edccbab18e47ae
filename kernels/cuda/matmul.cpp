// MatMul and Linear: cuBLASLt where it can, our own product for all else.

#include "../../core/ops/fused_linear.h"
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

void linear(const Launch& l, Activation activation) {
  Product p = product_of(l.in[0], l.in[1], l.out[0]);
  p.b = p.b.transposed();
  if (l.in.size() == 3) p.bias = l.in[2].data;
  p.relu = activation == Activation::relu;
  multiply(p, l);
  if (l.out[0].meta->numel() != 0) activate_in_place(activation, l);
}

}  // namespace
}  // namespace cuda

void MatMul::cuda(const Launch& l) const {
  cuda::multiply(cuda::product_of(l.in[0], l.in[1], l.out[0]), l);
}

void Linear::cuda(const Launch& l) const { cuda::linear(l, Activation::none); }

void FusedLinear::cuda(const Launch& l) const { cuda::linear(l, activation); }

}  // namespace reprise
