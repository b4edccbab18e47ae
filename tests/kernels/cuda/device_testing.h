#pragma once
// What the tests of device kernels share: an op on the CPU and on the device, on equal inputs.

#include "../../../autograd/tape.h"
#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../op_testing.h"

namespace reprise::op_testing {

/// Skips where there is no device.
class OnDevice : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

/// Outputs of `op` on the device equal those on the CPU, floats within tolerance * (1 + |value|),
/// integers exactly, and come with the same bits again.
template <class T>
void expect_op_on_device(const T& op, const Tensors& in, double tolerance) {
  const NoGradGuard no_grad;
  Tensors there;
  for (const Tensor& x : in) there.push_back(x.cuda());
  const Tensors expected = dispatch(Model(op), in);
  const Tensors got = dispatch(Model(op), there), again = dispatch(Model(op), there);
  for (size_t k = 0; k < expected.size(); ++k) {
    SCOPED_TRACE(testing::Message() << "output " << k << " of " << Model(op).text());
    const Tensor y = got[k].cpu();
    ASSERT_EQ(y.dtype(), expected[k].dtype());
    expect_close(y, array_of(expected[k]), is_floating_point(y.dtype()) ? tolerance : 0);
    expect_same_bits(y, again[k].cpu());
  }
}

/// `got` is `exact`, rounded once if it is of 16 bits, within tolerance * (1 + |value|) besides.
inline void expect_rounded(const Tensor& got, const Tensor& exact, double tolerance) {
  const double rounding = got.dtype() == float16 ? 0x1p-11 : got.dtype() == bfloat16 ? 0x1p-8 : 0;
  const double least = rounding == 0 ? 0 : 0x1p-25;  // half of the smallest float16
  ASSERT_EQ(got.shape(), exact.shape());
  const Array values = array_of(got), wanted = array_of(exact);
  for (size_t i = 0; i < values.values.size(); ++i) {
    const double a = values.values[i], b = wanted.values[i];
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    ASSERT_LE(std::abs(a - b), rounding * std::abs(b) + tolerance * (1 + std::abs(b)) + least)
        << "got " << a << ", expected " << b << " at " << i;
  }
}

inline Tensors float_operands(const Tensors& in, DType from, DType to) {
  Tensors out;
  for (const Tensor& x : in) out.push_back(x.dtype() == from ? x.to(to) : x);
  return out;
}

/// `op` on the device in float16 and bfloat16 gives what it gives in float32 on the CPU, rounded
/// once, and the same bits again. `in`: float32, or integers.
template <class T>
void expect_op_in_16_bits(const T& op, const Tensors& in, double tolerance) {
  const NoGradGuard no_grad;
  for (const DType dtype : {float16, bfloat16}) {
    SCOPED_TRACE(testing::Message() << Model(op).text() << " in " << to_string(dtype));
    const Tensors narrow = float_operands(in, float32, dtype);
    Tensors there;
    for (const Tensor& x : narrow) there.push_back(x.cuda());
    const Tensors got = dispatch(Model(op), there), again = dispatch(Model(op), there);
    const Tensors exact = dispatch(Model(op), float_operands(narrow, dtype, float32));
    for (size_t k = 0; k < got.size(); ++k) {
      expect_rounded(got[k].cpu(), exact[k], is_floating_point(exact[k].dtype()) ? tolerance : 0);
      expect_same_bits(got[k].cpu(), again[k].cpu());
    }
  }
}

}  // namespace reprise::op_testing
