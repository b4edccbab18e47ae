// MatMul and Linear call the packed product of gemm.h, which reads operands of any strides where
// they lie; transposes and broadcast batches cost no copy.

#include "../../core/model.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/reduce.h"
#include "../../core/tensor.h"
#include "../cuda/product.h"
#include "gemm.h"
#include "simd/elementwise.h"

namespace reprise {
namespace {

/// The last two dimensions of a view.
struct Matrix {
  explicit Matrix(const View& view)
      : data(view.data),
        rows(view.meta->shape[view.meta->shape.size() - 2]),
        columns(view.meta->shape.back()),
        row(view.meta->strides[view.meta->shape.size() - 2]),
        column(view.meta->strides.back()) {}
  Matrix transposed() const {
    Matrix m = *this;
    std::swap(m.rows, m.columns);
    std::swap(m.row, m.column);
    return m;
  }

  void* data;
  int64_t rows, columns, row, column;  // sizes, and steps from one to the next
};

/// C[m, n] = A[m, k] B[k, n].
template <class T>
cpu::Gemm<T> gemm_of(const Matrix& a, const Matrix& b, const View& c) {
  return {.m = a.rows,
          .n = b.columns,
          .k = a.columns,
          .a = static_cast<const T*>(a.data),
          .a_row = a.row,
          .a_column = a.column,
          .b = static_cast<const T*>(b.data),
          .b_row = b.row,
          .b_column = b.column,
          .c = c.as<T>(),
          .c_row = b.columns};
}

/// For each of `batch` products.
size_t workspace_of(Device device, DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k) {
  if (device.kind == Device::Kind::cuda) return cuda::product_workspace(batch, m, n);
  return dtype == float32 ? cpu::gemm_workspace<float>(m, n, k)
                          : cpu::gemm_workspace<double>(m, n, k);
}

/// The last output takes the product, the first one the activation of it.
void linear(const Launch& l, cpu::Loop activation) {
  visit_floating("linear", l.out[0].meta->dtype, [&]<class T>() {
    cpu::Gemm<T> g = gemm_of<T>(Matrix(l.in[0]), Matrix(l.in[1]).transposed(), l.out.back());
    if (l.in.size() == 3) g.column_bias = l.in[2].as<T>();
    g.activation = activation;
    g.activated = l.out[0].as<T>();
    cpu::gemm(g, l.workspace);
  });
}

}  // namespace

size_t MatMul::workspace(std::span<const Meta> in, Device device) const {
  const Shape &a = in[0].shape, &b = in[1].shape;
  const size_t r = a.size();
  return workspace_of(device, in[0].dtype, r == 3 ? a[0] : 1, a[r - 2], b[r - 1], a[r - 1]);
}

void MatMul::cpu(const Launch& l) const {
  const View &a = l.in[0], &b = l.in[1], &c = l.out[0];
  visit_floating(name, c.meta->dtype, [&]<class T>() {
    const cpu::Gemm<T> g = gemm_of<T>(Matrix(a), Matrix(b), c);
    if (c.meta->dim() == 2) return cpu::gemm(g, l.workspace);
    cpu::gemm_batch<T>(g, {c.meta->shape[0], a.meta->strides[0], b.meta->strides[0], g.m * g.n},
                       l.workspace);
  });
}

size_t Linear::workspace(std::span<const Meta> in, Device device) const {
  return workspace_of(device, in[0].dtype, 1, in[0].shape[0], in[1].shape[0], in[0].shape[1]);
}

void Linear::cpu(const Launch& l) const { linear(l, nullptr); }

size_t LinearWeightGrad::workspace(std::span<const Meta> in, Device device) const {
  const Shape &gy = in[0].shape, &x = in[1].shape;
  return std::max(workspace_of(device, in[0].dtype, 1, gy[1], x[1], gy[0]),
                  Model(Sum{{0}, false}).workspace(in.first(1), device));
}

void LinearWeightGrad::cpu(const Launch& l) const {
  visit_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    cpu::gemm(gemm_of<T>(Matrix(l.in[0]).transposed(), Matrix(l.in[1]), l.out[0]), l.workspace);
  });
  Sum{{0}, false}.cpu({l.in.first(1), l.out.subspan(1), l.workspace, l.stream});
}

void FusedLinear::cpu(const Launch& l) const {
  const ElementwiseIndex index = elementwise_index(activation);
  linear(l, index == ElementwiseIndex::none
                ? nullptr
                : cpu::elementwise_table().at(index, l.out[0].meta->dtype));
}

size_t FusedLinearInputGrad::workspace(std::span<const Meta> in, Device device) const {
  const size_t bytes = MatMul{}.workspace(in.first(2), device);
  if (device.kind != Device::Kind::cuda || activation != Activation::relu) return bytes;
  return bytes + cuda::relu_mask_bytes(in[2].shape[0], in[2].shape[1]);
}

void FusedLinearInputGrad::cpu(const Launch& l) const {
  const View& out = l.out[0];
  visit_floating(name, out.meta->dtype, [&]<class T>() {
    cpu::Gemm<T> g = gemm_of<T>(Matrix(l.in[0]), Matrix(l.in[1]), out);
    g.activation = cpu::elementwise_table().at(gradient_index(activation), out.meta->dtype);
    g.other = l.in[2].as<T>();
    cpu::gemm(g, l.workspace);
  });
}

}  // namespace reprise
