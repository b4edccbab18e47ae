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

}  // namespace reprise::op_testing
