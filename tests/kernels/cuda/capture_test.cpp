// Captures that fail on a device: an op that waits for its stream.

#include <cuda_runtime.h>

#include "../../../core/cuda.h"
#include "../../../core/dispatch.h"
#include "../../../graph/program.h"
#include "../../../kernels/cuda/check.h"
#include "../../core/expect.h"

namespace reprise {
namespace {

using test::expect_error;
using test::expect_tensor;

/// x -> x, and waits until it is there.
struct WaitedCopy {
  static constexpr std::string_view name = "waited_copy";
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, in[0].dtype)}; }
  void cuda(const Launch& l) const {
    auto* const stream = static_cast<cudaStream_t>(l.stream.handle);
    REPRISE_CUDA_CHECK(cudaMemcpyAsync(l.out[0].data, l.in[0].data, l.in[0].meta->nbytes(),
                                       cudaMemcpyDeviceToDevice, stream));
    REPRISE_CUDA_CHECK(cudaStreamSynchronize(stream));
  }
};

TEST(CudaCapture, AnOpThatWaitsLeavesALoopAndASoundLibrary) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  const Tensor x = full({3}, 2.0, {.device = Device::cuda()});
  Program loop = compile([](const Tensor& a) { return apply(WaitedCopy{}, a.neg()).neg(); }, {x});
  Program graph = compile([](const Tensor& a) { return a.neg(); }, {x});
  for (int i = 0; i < 4; ++i) {
    expect_tensor(loop(x), full({3}, 2.0));
    expect_tensor(graph(x), full({3}, -2.0));
    expect_tensor(x + 1, full({3}, 3.0));
  }
  EXPECT_NE(loop.report().find("since waited_copy: cudaStreamSynchronize: "
                               "cudaErrorStreamCaptureUnsupported"),
            std::string::npos)
      << loop.report();
  EXPECT_EQ(graph.replay(), "one CUDA graph of 1 kernel");
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  cuda::synchronize();
}

}  // namespace
}  // namespace reprise
