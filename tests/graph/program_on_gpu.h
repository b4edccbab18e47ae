#pragma once
// What tests of programs on a GPU share: a fake device, whose log tells what was queued, and the
// first device that there is.

#include <gtest/gtest.h>

#include <algorithm>

#include "../../core/cuda.h"
#include "../core/fake_device.h"
#include "replay.h"

namespace reprise::test {

inline const Device kGpu = Device::cuda();
using Log = std::vector<std::string>;

inline Tensors on_cpu(std::span<const Tensor> tensors) {
  Tensors out;
  for (const Tensor& t : tensors) out.push_back(t.detach().cpu());
  return out;
}

inline void expect_bits(const Tensor& got, const Tensor& expected) {
  EXPECT_EQ(difference(got.cpu(), expected.cpu()), "");
}

inline bool is_one_graph(const std::string& report) {
  return report.find("one CUDA graph of ") != std::string::npos;
}

/// How often a line of the log begins so.
inline int64_t count(const Log& log, std::string_view start) {
  return std::ranges::count_if(log, [&](const std::string& s) { return s.starts_with(start); });
}

class ProgramOnFake : public testing::Test {
 protected:
  FakeDevices fake_{2};
};

class CudaProgram : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      fake_.emplace();
    } else if (!cuda::is_available()) {
      GTEST_SKIP() << cuda::why_not_available();
    }
  }
  std::optional<FakeDevices> fake_;
};

inline std::string device_name(const testing::TestParamInfo<bool>& info) {
  return info.param ? "Fake" : "Device";
}

}  // namespace reprise::test
