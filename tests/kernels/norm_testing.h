#pragma once
// Fused batch normalisation beside the single ops that it stands for, on any device.

#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused_norm.h"
#include "op_testing.h"

namespace reprise::op_testing {

inline void expect_bits(const Tensor& got, const Tensor& expected, std::string_view what) {
  ASSERT_EQ(got.meta(), expected.meta()) << what;
  EXPECT_TRUE(test::same_bits(got.cpu(), expected.cpu())) << what;
}

/// Operands of either op: x, weight, bias, statistics, and three more images.
struct NormOperands {
  Tensor x, weight, bias, running_mean, running_var, batches, residual, gy, more;

  NormOperands(const Shape& shape, DType dtype, Device device, MemoryFormat format) {
    const auto there = [&](const Tensor& t) { return t.to(dtype).to(device); };
    const auto image = [&](uint64_t seed) {
      const Tensor t = there(sample(shape, float32, seed));
      return shape.dim() == 4 ? t.to(format) : t;
    };
    const Shape c{shape[1]};
    x = image(1), residual = image(6), gy = image(7), more = image(8);
    weight = there(sample(c, float32, 2)), bias = there(sample(c, float32, 3));
    running_mean = there(sample(c, float32, 4)), running_var = there(abs(sample(c, float32, 5)));
    batches = full({}, 4, {.dtype = int64}).to(device);
  }
  Tensors forward() const {
    return {x, weight, bias, running_mean.clone(), running_var.clone(), batches.clone()};
  }
};

/// y = relu(batch_norm(x) + residual), its statistics and all of its gradients. gy: one part of the
/// gradient of y or, when there is a residual, perhaps two.
inline void expect_bits_of_single_ops(const NormOperands& o, bool residual, bool two_parts) {
  Tensors in = o.forward();
  const Tensors single = dispatch(Model(BatchNorm{}), in);
  const Tensor sum = residual ? apply(Add{}, single[0], o.residual) : single[0];
  const Tensor y = apply(Relu{}, sum);
  Tensors fused_in = o.forward();
  if (residual) fused_in.push_back(o.residual);
  const Tensors fused = dispatch(Model(FusedBatchNorm{0.1, 1e-5, residual, true}), fused_in);
  expect_bits(fused[0], y, "y");
  for (size_t k = 1; k < 3; ++k) expect_bits(fused[k], single[k], "statistics");
  for (size_t k = 3; k < 6; ++k) expect_bits(fused_in[k], in[k], "running statistics");

  const Tensor gy = two_parts ? apply(Add{}, o.gy, o.more) : o.gy;
  const Tensor g = apply(ReluGrad{}, gy, y);
  const Tensors grad =
      dispatch(Model(BatchNormGrad{}), std::array{g, o.x, o.weight, single[1], single[2]});
  Tensors grad_in{o.gy, o.x, o.weight, single[1], single[2], residual ? y : o.bias};
  if (two_parts) grad_in.push_back(o.more);
  const Tensors got = dispatch(Model(FusedBatchNormGrad{residual}), grad_in);
  for (size_t k = 0; k < 3; ++k) expect_bits(got[k], grad[k], "gradient");
  if (residual) expect_bits(got[3], g, "gradient of the residual");
}

inline void expect_bits_of_single_ops(const Shape& shape, DType dtype, Device device = {}) {
  const NoGradGuard no_grad;
  for (const MemoryFormat format : {contiguous_format, channels_last}) {
    if (format == channels_last && shape.dim() != 4) continue;
    SCOPED_TRACE(text("x ", dtype, shape, " ", format));
    const NormOperands o(shape, dtype, device, format);
    expect_bits_of_single_ops(o, false, false);
    expect_bits_of_single_ops(o, true, false);
    expect_bits_of_single_ops(o, true, true);
  }
}

}  // namespace reprise::op_testing
