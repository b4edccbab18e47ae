// Matrix products on a device against the CPU, by the ops and by our own kernel alone, which a
// device with cuBLASLt would not show. Operands are whole numbers, whose sums are exact in any
// order, unless a test is about rounding.

#include <cmath>
#include <limits>

#include "../../../core/dispatch.h"
#include "../../../core/ops/fused_linear.h"
#include "../../../kernels/cuda/gemm.h"
#include "../../core/expect.h"
#include "../../core/on_device.h"
#include "../op_testing.h"

namespace reprise::cuda {
namespace {

using op_testing::sample;
using test::expect_tensor;

/// Whole numbers in [-4, 4].
Tensor whole(const Shape& shape, DType dtype, Device device) {
  const Tensor x = sample(shape, float64) * 2;
  return x.to(int64).to(dtype).to(device);
}

/// Makes an operand of that shape on a device, the same values on each.
using Layout = Tensor (*)(Shape, DType, Device);

Tensor dense(Shape s, DType t, Device d) { return whole(s, t, d); }
Tensor by_columns(Shape s, DType t, Device d) {
  std::swap(s[s.size() - 1], s[s.size() - 2]);
  return transpose(whole(s, t, d), -1, -2);
}
Tensor of_wider(Shape s, DType t, Device d) {
  s[s.size() - 1] += 3;
  return slice(whole(s, t, d), -1, 3);
}
Tensor apart(Shape s, DType t, Device d) {
  s[s.size() - 1] *= 3;
  return slice(whole(s, t, d), -1, 1, s.back(), 3);
}
Tensor same_rows(Shape s, DType t, Device d) {
  const Shape all = s;
  s[s.size() - 2] = 1;
  return expand(whole(s, t, d), all);
}
Tensor same_columns(Shape s, DType t, Device d) {
  const Shape all = s;
  s[s.size() - 1] = 1;
  return expand(whole(s, t, d), all);
}
/// For batches.
Tensor same_matrix(Shape s, DType t, Device d) {
  const Shape all = s;
  s[0] = 1;
  return expand(whole(s, t, d), all);
}
Tensor matrix_last(Shape s, DType t, Device d) {
  return permute(whole({s[1], s[2], s[0]}, t, d), {2, 0, 1});
}

View view_of(const Tensor& x) { return {x.numel() == 0 ? nullptr : x.raw_data(), &x.meta()}; }

/// By our own kernels.
Tensor own_product(const Tensor& a, const Tensor& b, bool thin = false) {
  Shape shape = a.shape();
  shape[shape.size() - 1] = b.size(-1);
  const Tensor c = empty(shape, {.dtype = a.dtype(), .device = a.device()});
  const Product p = product_of(view_of(a), view_of(b), view_of(c));
  if (!thin || !try_thin_gemm(p, {})) gemm(p, {});
  return c.cpu();
}

class CudaMatmul : public test::OnDevice<> {
 protected:
  static void expect_exact(const Shape& a, Layout lay_a, const Shape& b, Layout lay_b,
                           DType dtype = float32) {
    const Device cpu = Device::cpu(), gpu = Device::cuda();
    const Tensor expected = apply(MatMul{}, lay_a(a, dtype, cpu), lay_b(b, dtype, cpu));
    const Tensor x = lay_a(a, dtype, gpu), y = lay_b(b, dtype, gpu);
    SCOPED_TRACE(testing::Message()
                 << to_string(x.shape()) << " by " << to_string(x.strides()) << " times "
                 << to_string(y.shape()) << " by " << to_string(y.strides()));
    expect_tensor(own_product(x, y), expected);
    const bool thin = std::min(expected.size(-1), expected.size(-2)) <= 16;
    if (thin) expect_tensor(own_product(x, y, true), expected);
    expect_tensor(apply(MatMul{}, x, y).cpu(), expected);
  }
};

TEST_F(CudaMatmul, TakesAllSizesAroundATile) {
  for (const auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                               {63, 65, 15},
                               {64, 64, 16},
                               {65, 63, 17},
                               {1, 130, 33},
                               {130, 1, 40},
                               {2, 3, 300},
                               {66, 68, 1}}) {
    for (const DType dtype : {float32, float64, float16, bfloat16}) {
      expect_exact({m, k}, dense, {k, n}, dense, dtype);
      expect_exact({m, k}, by_columns, {k, n}, by_columns, dtype);
    }
  }
}

TEST_F(CudaMatmul, TakesLargeTiles) {
  expect_exact({64, 129, 9}, dense, {64, 9, 65}, by_columns);
  expect_exact({128, 65, 8}, by_columns, {128, 8, 68}, dense);
}

TEST_F(CudaMatmul, TakesAnyStrides) {
  const Layout layouts[] = {dense, by_columns, of_wider, apart, same_rows, same_columns};
  for (const Layout a : layouts) {
    for (const Layout b : layouts) {
      expect_exact({17, 21}, a, {21, 19}, b);
      expect_exact({9, 21}, a, {21, 40}, b);
      expect_exact({40, 37}, a, {37, 3}, b);
    }
  }
}

TEST_F(CudaMatmul, TakesBatches) {
  const Layout layouts[] = {dense, by_columns, apart, same_matrix, matrix_last};
  for (const Layout a : layouts) {
    for (const Layout b : layouts) expect_exact({5, 3, 6}, a, {5, 6, 4}, b);
  }
  expect_exact({7, 1, 6}, dense, {7, 6, 4}, same_matrix);
  expect_exact({7, 1, 6}, matrix_last, {7, 6, 4}, same_matrix);
}

TEST_F(CudaMatmul, TakesNothing) {
  for (const auto [m, n, k] : {std::array<int64_t, 3>{3, 4, 0}, {0, 4, 2}, {3, 0, 2}, {0, 0, 0}}) {
    const Tensor a = empty({m, k}), b = empty({k, n});
    const Tensor bias = whole({n}, float32, Device::cpu());
    expect_tensor(matmul(a.cuda(), b.cuda()).cpu(), matmul(a, b));
    const Tensor w = empty({n, k});
    expect_tensor(linear(a.cuda(), w.cuda(), bias.cuda()).cpu(), linear(a, w, bias));
  }
  expect_exact({0, 3, 4}, dense, {0, 4, 2}, dense);
  expect_exact({2, 3, 0}, dense, {2, 0, 2}, dense);
}

TEST_F(CudaMatmul, RoundsLikeASumOfProducts) {
  const Tensor a = sample({70, 1000}), b = sample({1000, 66}, float32, 2);
  const Tensor expected = matmul(a.to(float64), b.to(float64));
  const double bound = 1e-3;  // 1000 products up to 4, of 24 bits
  for (const Tensor& got : {own_product(a.cuda(), b.cuda()), matmul(a.cuda(), b.cuda()).cpu()})
    expect_tensor(got.to(float64), expected, bound);
}

TEST_F(CudaMatmul, KeepsNaNToItsRowAndColumn) {
  Tensor a = sample({67, 20}), b = sample({20, 70});
  a.data<float>()[65 * 20 + 19] = std::numeric_limits<float>::quiet_NaN();
  b.data<float>()[19 * 70 + 66] = std::numeric_limits<float>::infinity();
  expect_tensor(own_product(a.cuda(), b.cuda()), matmul(a, b), 1e-4);
  expect_tensor(matmul(a.cuda(), b.cuda()).cpu(), matmul(a, b), 1e-4);
}

TEST_F(CudaMatmul, GivesTheBitsOfTheSingleOps) {
  Tensor x = sample({70, 33});
  x.data<float>()[33] = std::numeric_limits<float>::quiet_NaN();
  const Tensor w = sample({67, 33}, float32, 2), bias = sample({67}, float32, 3);
  const Tensor there = x.cuda(), w_there = w.cuda(), bias_there = bias.cuda();
  const Tensor plain = linear(there, w_there, bias_there).cpu();
  expect_tensor(plain, linear(x, w, bias), 1e-4);
  const auto fused = [&](Activation activation) {
    return apply(FusedLinear{activation}, there, w_there, bias_there).cpu();
  };
  expect_tensor(fused(Activation::none), plain);
  expect_tensor(fused(Activation::relu), relu(plain));
  expect_tensor(fused(Activation::tanh), tanh(plain), 1e-6);
  expect_tensor(fused(Activation::sigmoid), sigmoid(plain), 1e-6);
  expect_tensor(fused(Activation::gelu), gelu(plain), 1e-5);
  expect_tensor(fused(Activation::gelu_tanh), gelu(plain, "tanh"), 1e-5);
}

}  // namespace
}  // namespace reprise::cuda
