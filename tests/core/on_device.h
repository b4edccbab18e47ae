#pragma once
// The fixture of tests that need a device, real or emulated.

#include <gtest/gtest.h>

#include "../../core/cuda.h"

namespace reprise::test {

/// Skips where there is no device. `Base` may be testing::TestWithParam<...>.
template <class Base = testing::Test>
class OnDevice : public Base {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  }
};

}  // namespace reprise::test
