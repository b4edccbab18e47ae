// MatMul and Linear call the packed product of gemm.h, which reads operands of any strides where
// they lie; transposes and broadcast batches cost no copy.

#include "../../core/ops/fused_linear.h"
#include "gemm.h"
#include "simd/elementwise.h"

namespace reprise {
namespace {

/// C[m, n] = A[m, k] B[k, n] for the last two dimensions of the views.
template <class T>
cpu::Gemm<T> gemm_of(const View& a, const View& b, const View& c) {
  const size_t ra = a.meta->shape.size() - 2, rb = b.meta->shape.size() - 2;
  cpu::Gemm<T> g;
  g.a = a.as<T>();
  g.b = b.as<T>();
  g.c = c.as<T>();
  g.m = a.meta->shape[ra];
  g.k = a.meta->shape[ra + 1];
  g.n = b.meta->shape[rb + 1];
  g.a_row = a.meta->strides[ra];
  g.a_column = a.meta->strides[ra + 1];
  g.b_row = b.meta->strides[rb];
  g.b_column = b.meta->strides[rb + 1];
  g.c_row = g.n;
  return g;
}

size_t workspace_of(DType dtype, int64_t m, int64_t n, int64_t k) {
  return dtype == float32 ? cpu::gemm_workspace<float>(m, n, k)
                          : cpu::gemm_workspace<double>(m, n, k);
}

void linear(const Launch& l, cpu::Loop activation) {
  visit_floating("linear", l.out[0].meta->dtype, [&]<class T>() {
    Meta transposed = *l.in[1].meta;
    std::swap(transposed.shape[0], transposed.shape[1]);
    std::swap(transposed.strides[0], transposed.strides[1]);
    cpu::Gemm<T> g = gemm_of<T>(l.in[0], {l.in[1].data, &transposed}, l.out[0]);
    if (l.in.size() == 3) g.column_bias = l.in[2].as<T>();
    g.activation = activation;
    cpu::gemm(g, l.workspace);
  });
}

}  // namespace

size_t MatMul::workspace(std::span<const Meta> in, Device) const {
  const Shape &a = in[0].shape, &b = in[1].shape;
  const size_t r = a.size();
  return workspace_of(in[0].dtype, a[r - 2], b[r - 1], a[r - 1]);
}

void MatMul::cpu(const Launch& l) const {
  const View &a = l.in[0], &b = l.in[1], &c = l.out[0];
  visit_floating(name, c.meta->dtype, [&]<class T>() {
    const cpu::Gemm<T> g = gemm_of<T>(a, b, c);
    if (c.meta->dim() == 2) return cpu::gemm(g, l.workspace);
    cpu::gemm_batch<T>(g, {c.meta->shape[0], a.meta->strides[0], b.meta->strides[0], g.m * g.n},
                       l.workspace);
  });
}

size_t Linear::workspace(std::span<const Meta> in, Device) const {
  return workspace_of(in[0].dtype, in[0].shape[0], in[1].shape[0], in[0].shape[1]);
}

void Linear::cpu(const Launch& l) const { linear(l, nullptr); }

void FusedLinear::cpu(const Launch& l) const {
  const ElementwiseIndex index = elementwise_index(activation);
  linear(l, index == ElementwiseIndex::none
                ? nullptr
                : cpu::elementwise_table().at(index, l.out[0].meta->dtype));
}

}  // namespace reprise
