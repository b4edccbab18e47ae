// Matrix products on a device against the CPU, by the ops and by our own kernel alone, which a
// device with cuBLASLt would not show. Operands are whole numbers, whose sums are exact in any
// order, unless a test is about rounding.

#include <cmath>
#include <limits>

#include "../../../core/dispatch.h"
#include "../../../core/ops/fused_linear.h"
#include "../../../kernels/cuda/gemm.h"
#include "../../../kernels/cuda/mask.h"
#include "../../../kernels/cuda/visit.h"
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
Tensor own_product(const Tensor& a, const Tensor& b, bool thin = false, const Tensor& gate = {}) {
  Shape shape = a.shape();
  shape[shape.size() - 1] = b.size(-1);
  const Tensor c = empty(shape, {.dtype = a.dtype(), .device = a.device()});
  Product p = product_of(view_of(a), view_of(b), view_of(c));
  if (gate.defined()) p.gate = gate.raw_data();
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

/// Whole numbers, zeros of both signs and NaN among them.
Tensor result_of_relu(const Shape& shape, DType dtype) {
  const Tensor y = relu(whole(shape, float64, Device::cpu()));
  if (y.numel() == 0) return y.to(dtype);
  const Tensor flat = flatten(y);
  flat[y.numel() / 2].fill_(std::nan(""));
  flat[y.numel() / 3].fill_(-0.0);
  return y.to(dtype);
}

TEST_F(CudaMatmul, MasksProductsByAGate) {
  const auto expect_masked = [](int64_t m, int64_t n, int64_t k, DType dtype) {
    SCOPED_TRACE(testing::Message() << to_string(dtype) << ' ' << m << ' ' << n << ' ' << k);
    const Tensor a = whole({m, k}, dtype, Device::cuda()), b = whole({k, n}, dtype, Device::cuda());
    const Tensor y = result_of_relu({m, n}, dtype), there = y.cuda();
    const Tensor expected = apply(ReluGrad{}, matmul(a.cpu(), b.cpu()), y);
    expect_tensor(own_product(a, b, false, there), expected);
    expect_tensor(own_product(a, b, true, there), expected);
    expect_tensor(apply(FusedLinearInputGrad{}, a, b, there).cpu(), expected);
  };
  for (const DType dtype : {float32, float64, float16, bfloat16}) {
    for (const auto [m, n, k] : {std::array<int64_t, 3>{1, 1, 1},
                                 {70, 68, 17},
                                 {65, 63, 9},
                                 {3, 130, 20},
                                 {130, 3, 20},
                                 {20, 16, 0}})
      expect_masked(m, n, k, dtype);
  }
  expect_masked(65, 16380, 2, float32);  // large tiles
  expect_masked(0, 4, 2, float32);
}

TEST_F(CudaMatmul, GivesGradientsTheBitsOfTheSingleOps) {
  for (const DType dtype : {float32, float16, bfloat16}) {
    const Tensor gy = sample({70, 33}, dtype).cuda(), w = sample({33, 67}, dtype, 2).cuda();
    const Tensor saved = sample({70, 67}, dtype, 3).cuda(), gx = matmul(gy, w);
    const auto fused = [&](Activation a) {
      return apply(FusedLinearInputGrad{a}, gy, w, saved).cpu();
    };
    expect_tensor(fused(Activation::relu), apply(ReluGrad{}, gx, saved).cpu());
    expect_tensor(fused(Activation::gelu), apply(GeluGrad{}, gx, saved).cpu());
    expect_tensor(fused(Activation::gelu_tanh), apply(GeluTanhGrad{}, gx, saved).cpu());
    const Tensor bias = sample({33}, dtype, 4).cuda(), plain = linear(saved, w, bias);
    const FusedLinear op{Activation::gelu_tanh, true};
    const Tensors both = dispatch(Model(op), Tensors{saved, w, bias});
    expect_tensor(both[0].cpu(), gelu(plain, "tanh").cpu());
    expect_tensor(both[1].cpu(), plain.cpu());
  }
}

TEST_F(CudaMatmul, KeepsMasksInRows) {
  for (const DType dtype : {float32, float64, float16, bfloat16}) {
    for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {3, 128}, {7, 300}}) {
      const Tensor y = result_of_relu({rows, columns}, dtype), there = y.cuda();
      const int64_t leading = relu_mask_leading(columns);
      const Tensor bits = full({rows, leading / 8}, 255, {.dtype = uint8}).cuda();
      visit_any_floating("", dtype, [&]<class T>() {
        keep_mask(reprise::Stream{}, static_cast<const T*>(there.raw_data()),
                  static_cast<uint32_t*>(bits.raw_data()), rows, columns, leading);
      });
      const Tensor kept = bits.cpu(), wide = y.to(float64);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < leading; ++j) {
          const bool positive = j < columns && wide.data<double>()[i * columns + j] > 0;
          ASSERT_EQ(kept.data<uint8_t>()[(i * leading + j) / 8] >> j % 8 & 1, positive) << i << j;
        }
      }
    }
  }
}

}  // namespace
}  // namespace reprise::cuda
