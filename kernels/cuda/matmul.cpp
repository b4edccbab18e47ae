// MatMul and Linear: cuBLASLt where it can, our own product for all else.

#include "../../core/cuda.h"
#include "../../core/model.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/reduce.h"
#include "../../core/tensor.h"
#include "activation.h"
#include "blas_matmul.h"
#include "gemm.h"
#include "mask.h"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

bool is_empty(const Product& p) { return p.batch == 0 || p.m == 0 || p.n == 0; }

void own_product(const Product& p, reprise::Stream stream) {
  if (!try_thin_gemm(p, stream)) gemm(p, stream);
}

void multiply(const Product& product, const Launch& l) {
  if (is_empty(product)) return;
  const Product p = folded(product);
  if (!try_blas(p, bias_of(p), l.workspace, l.stream)) own_product(p, l.stream);
}

/// cuBLASLt's activations have other bits than the ops, or lose NaN; who allows TF32 has given up
/// more than that.
bool allows_other_bits(const Product& p) { return p.dtype == float32 && allow_tf32(); }

bool try_blas_activation(const Product& p, const Launch& l, Activation activation, void* kept) {
  if (p.bias == nullptr || !allows_other_bits(p)) return false;
  const bool relu = activation == Activation::relu && kept == nullptr;
  if (!relu && activation != Activation::gelu_tanh) return false;
  const BlasTail tail = relu              ? BlasTail::bias_relu
                        : kept == nullptr ? BlasTail::bias_gelu
                                          : BlasTail::bias_gelu_aux;
  return try_blas(p, bias_of(p, tail, kept), l.workspace, l.stream);
}

/// The last output takes the product, the first one the activation of it.
void linear(const Launch& l, Activation activation) {
  const View &y = l.out[0], &x = l.out.back();
  const bool keeps = l.out.size() == 2;
  Product p = product_of(l.in[0], l.in[1], y);
  p.b = p.b.transposed();
  if (l.in.size() == 3) p.bias = l.in[2].data;
  if (is_empty(p) || try_blas_activation(p, l, activation, keeps ? x.data : nullptr)) return;
  p.c = x.data;
  if (!try_blas(p, bias_of(p), l.workspace, l.stream)) {
    p.relu = activation == Activation::relu && !keeps;
    own_product(p, l.stream);
  }
  if (!p.relu) activate(activation, x, y, l.stream);
}

// ---- the gradient of an activation ------------------------------------------------------------

/// What bit cuBLASLt's own mask gives to 0 and NaN is not documented, so ours is made of the result
/// of the ReLU: a bit is written for each element, where a pass over the product reads both.
bool try_blas_relu_grad(const Product& p, const View& y, const Launch& l) {
  const auto begin = reinterpret_cast<uintptr_t>(l.workspace) + kWorkspaceAlignment - 1;
  auto* const mask =
      reinterpret_cast<std::byte*>(begin / kWorkspaceAlignment * kWorkspaceAlignment);
  const BlasEpilogue epilogue{BlasTail::relu_grad, nullptr, mask};
  if (!can_blas(p, epilogue)) return false;
  visit_any_floating("fused_linear_input_grad", p.dtype, [&]<class T>() {
    keep_mask(l.stream, y.as<T>(), reinterpret_cast<uint32_t*>(mask), p.m, p.n,
              relu_mask_leading(p.n));
  });
  return try_blas(p, epilogue, mask + relu_mask_bytes(p.m, p.n), l.stream);
}

void input_grad(const Launch& l, Activation activation) {
  const View &saved = l.in[2], &gx = l.out[0];
  Product p = product_of(l.in[0], l.in[1], gx);
  const bool relu = activation == Activation::relu;
  if (is_empty(p) || (relu && try_blas_relu_grad(p, saved, l))) return;
  const BlasEpilogue gelu{BlasTail::gelu_grad, nullptr, saved.data};
  if (activation == Activation::gelu_tanh && allows_other_bits(p) &&
      try_blas(p, gelu, l.workspace, l.stream))
    return;
  if (!try_blas(p, {}, l.workspace, l.stream)) {
    if (relu) p.gate = saved.data;
    own_product(p, l.stream);
  }
  if (p.gate == nullptr) multiply_slope(activation, gx, saved, l.stream);
}

// ---- the gradients of a weight and a bias -----------------------------------------------------

/// With TF32 cuBLASLt may also round what it sums on the way.
bool sums_in_product(const Product& p) { return !is_empty(p) && !allows_other_bits(p); }

}  // namespace
}  // namespace cuda

void MatMul::cuda(const Launch& l) const {
  cuda::multiply(cuda::product_of(l.in[0], l.in[1], l.out[0]), l);
}

void Linear::cuda(const Launch& l) const { cuda::linear(l, Activation::none); }

void FusedLinear::cuda(const Launch& l) const { cuda::linear(l, activation); }

void FusedLinearInputGrad::cuda(const Launch& l) const { cuda::input_grad(l, activation); }

void LinearWeightGrad::cuda(const Launch& l) const {
  const View &gy = l.in[0], &x = l.in[1];
  Meta turned = *gy.meta;
  std::swap(turned.shape[0], turned.shape[1]);
  std::swap(turned.strides[0], turned.strides[1]);
  const cuda::Product p = cuda::product_of({gy.data, &turned}, x, l.out[0]);
  const cuda::BlasEpilogue sums{cuda::BlasTail::sums, l.out[1].data, nullptr};
  if (cuda::sums_in_product(p) && cuda::try_blas(p, sums, l.workspace, l.stream)) return;
  cuda::multiply(p, l);
  if (l.out[1].meta->numel() == 0) return;
  Model(Sum{{0}, false})
      .launch(gy.meta->device, {l.in.first(1), l.out.subspan(1), l.workspace, l.stream});
}

}  // namespace reprise
