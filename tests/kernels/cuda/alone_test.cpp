// What a process of its own shows: plain memory, and a device that is lost.

#include "alone.h"

#include "../../../core/cuda.h"
#include "../../../core/ops.h"
#include "../../../kernels/cuda/check.h"
#include "../../core/on_device.h"

namespace reprise::cuda {
namespace {

using test::expect_passes_alone;
using CudaAlone = test::OnDevice<>;

TEST_F(CudaAlone, PlainMemoryKeepsNothing) {
  if (!test::is_alone()) {
    return expect_passes_alone("REPRISE_CUDA_MALLOC", "plain",
                               test::this_test() + ":CudaDevice.*:All/CudaGraphs.*");
  }
  (void)empty({1 << 20}, {.device = Device::cuda()});
  EXPECT_EQ(memory_stats().reserved, memory_stats().in_use);
}

TEST_F(CudaAlone, AnInvalidAddressIsToldByTheNextCallThatWaits) {
  if (test::is_emulated(Device::cuda())) GTEST_SKIP() << "the emulated device would crash";
  if (!test::is_alone()) {
    for (const char* waits : {"0", "1"}) expect_passes_alone("REPRISE_CUDA_SYNC", waits);
    return;
  }
  const Tensor before = ones({4}).cuda();
  void* const nowhere = reinterpret_cast<void*>(uintptr_t{4096});
  const Tensor x = from_blob(nowhere, {4}, {.device = Device::cuda()});
  try {
    const Tensor y = x.neg();
    EXPECT_FALSE(waits_for_kernels());
    synchronize();
    ADD_FAILURE() << "nobody met it";
  } catch (const Error& error) {
    const std::string told = error.what();
    EXPECT_EQ(error.kind(), ErrorKind::Device);
    EXPECT_NE(told.find("cudaErrorIllegalAddress"), std::string::npos) << told;
    EXPECT_EQ(told.starts_with("neg: "), waits_for_kernels()) << told;
    EXPECT_NE(error.is_late(), waits_for_kernels()) << told;
  }
  EXPECT_THROW((void)before.cpu(), Error);  // what is freed from now on is silent
}

}  // namespace
}  // namespace reprise::cuda
