#pragma once
// The fixtures of tests that need a device, real or emulated. What uses one has Cuda in its full
// name, by which scripts/gpu_check finds it.

#include <gtest/gtest.h>

#include "../../core/cuda.h"

namespace reprise::test {

inline bool is_emulated(Device device) {
  return device.kind == Device::Kind::cuda && cuda::get_device_properties(device.index).major == 0;
}

/// Skips where there is no device. `Base` may be testing::TestWithParam<...>.
template <class Base = testing::Test>
class OnDevice : public Base {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

/// Of tests for the CPU and for a device: `device()`.
class OnEachDevice : public OnDevice<testing::TestWithParam<Device>> {
 protected:
  void SetUp() override {
    if (device().kind == Device::Kind::cuda) OnDevice::SetUp();
  }
  static Device device() { return GetParam(); }
};

/// Defines Cpu/suite and Cuda/suite.
#define REPRISE_ON_EACH_DEVICE(suite)                                   \
  INSTANTIATE_TEST_SUITE_P(Cpu, suite, testing::Values(Device::cpu())); \
  INSTANTIATE_TEST_SUITE_P(Cuda, suite, testing::Values(Device::cuda()))

}  // namespace reprise::test
