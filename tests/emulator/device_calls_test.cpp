// What a device that fails when it is asked leaves of the runtime.

#include <gtest/gtest.h>

#include "../../core/device_context.h"
#include "calls.h"

namespace reprise {
namespace {

TEST(CudaCalls, ADeviceThatDoesNotAnswerIsRefused) {
  DeviceRuntime& runtime = detail::device_context(Device::cuda(), "test").runtime();
  EXPECT_EQ(runtime.why_not(0), "");
  emulator::refuse_call(1);
  const std::string reason = runtime.why_not(0);
  EXPECT_TRUE(emulator::was_refused());
  EXPECT_NE(reason.find("cudaGetDeviceProperties"), std::string::npos) << reason;
}

}  // namespace
}  // namespace reprise
