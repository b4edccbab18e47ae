// Captures on a device that fail: by an op of theirs, or by what other threads do meanwhile; and
// what is assumed of CUDA where programs are launched.

#include <cuda_runtime.h>

#include <functional>
#include <thread>

#include "../../../autograd/tape.h"
#include "../../../core/cuda.h"
#include "../../../core/device_context.h"
#include "../../../core/dispatch.h"
#include "../../../core/random.h"
#include "../../../graph/program.h"
#include "../../../kernels/cuda/check.h"
#include "../../core/expect.h"
#include "../../core/on_device.h"
#include "../../graph/program_on_gpu.h"

namespace reprise {
namespace {

using test::expect_bits;
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

class CudaCapture : public test::OnDevice<> {};

TEST_F(CudaCapture, AnOpThatWaitsLeavesALoopAndASoundLibrary) {
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

// ---- other threads

/// x -> x; while it is captured, another thread does something.
struct MeddledCopy {
  static constexpr std::string_view name = "meddled_copy";
  static inline std::function<void()> meddle;
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, in[0].dtype)}; }
  void cuda(const Launch& l) const {
    auto* const stream = static_cast<cudaStream_t>(l.stream.handle);
    REPRISE_CUDA_CHECK(cudaMemcpyAsync(l.out[0].data, l.in[0].data, l.in[0].meta->nbytes(),
                                       cudaMemcpyDeviceToDevice, stream));
    cudaStreamCaptureStatus status{};
    REPRISE_CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
    if (status != cudaStreamCaptureStatusNone) std::thread(meddle).join();
  }
};

Tensor meddled(const Tensor& x) { return apply(MeddledCopy{}, x.neg()).neg(); }

TEST_F(CudaCapture, IsNotSpoiltByWhatOthersAllocateAndWaitFor) {
  MeddledCopy::meddle = [] {
    void *block = nullptr, *pinned = nullptr;
    ASSERT_EQ(cudaMalloc(&block, 1 << 20), cudaSuccess);
    ASSERT_EQ(cudaHostAlloc(&pinned, 1 << 10, 0), cudaSuccess);
    EXPECT_EQ(cudaMemsetAsync(block, 0, 1 << 20, nullptr), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    EXPECT_EQ(cudaFree(block), cudaSuccess);
    EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
    const Tensor y = ones({100}).cuda();
    EXPECT_EQ(y.sum().item<float>(), 100);
  };
  const Tensor x = full({3}, 2.0, {.device = Device::cuda()});
  Program program = compile(meddled, {x});
  for (int i = 0; i < 3; ++i) expect_tensor(program(x), full({3}, 2.0));
  EXPECT_EQ(program.replay(), "one CUDA graph of 2 kernels");
}

TEST_F(CudaCapture, IsTriedAgainWhenAnotherThreadWaitedForTheDevice) {
  int waits = 0;
  MeddledCopy::meddle = [&] {
    if (waits-- <= 0) return;
    EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
    (void)cudaGetLastError();
  };
  const Tensor x = full({3}, 2.0, {.device = Device::cuda()});
  for (const int spoilt : {1, 3, 4}) {
    waits = spoilt;
    Program program = compile(meddled, {x});
    for (int i = 0; i < 8; ++i) {
      expect_tensor(program(x), full({3}, 2.0));
      const bool tries = i >= 1 && i < std::min(spoilt + 1, 4);
      const std::string part = text("a loop of 3 calls after ", i,
                                    i == 1 ? " capture" : " captures", " that others spoilt (");
      EXPECT_EQ(program.replay().starts_with(part), tries) << program.replay();
    }
    const std::string replay = program.replay();
    const std::string begin =
        spoilt == 4 ? "a loop of 3 calls, since " : "one CUDA graph of 2 kernels";
    EXPECT_TRUE(replay.starts_with(begin)) << replay;
    EXPECT_NE(replay.find("cudaErrorStreamCaptureInvalidated"), std::string::npos) << replay;
    EXPECT_NE(program.report().find(replay), std::string::npos);
  }
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  cuda::synchronize();
}

/// The library waits for devices only where nobody captures.
TEST_F(CudaCapture, WaitsOfOursComeAfterIt) {
  std::thread waiting;
  MeddledCopy::meddle = [&] {
    if (!waiting.joinable()) waiting = std::thread([] { EXPECT_NO_THROW(cuda::synchronize()); });
  };
  const Tensor x = full({3}, 2.0, {.device = Device::cuda()});
  Program program = compile(meddled, {x});
  for (int i = 0; i < 3; ++i) expect_tensor(program(x), full({3}, 2.0));
  ASSERT_TRUE(waiting.joinable());
  waiting.join();
  EXPECT_EQ(program.replay(), "one CUDA graph of 2 kernels");
}

// ---- what is assumed of CUDA

/// A graph takes memory of the pool, of whatever stream and however long ago.
TEST_F(CudaCapture, GraphsCopyBetweenAllBlocksOfThePool) {
  DeviceRuntime& runtime = detail::device_context(0, "test").runtime();
  const auto place = [](const Tensor& x) { return MemoryPlace{x.raw_data(), Device::cuda()}; };
  const Tensor from = randn({1000}).cuda(), to = zeros({1000}).cuda();
  void* const stream = runtime.begin_capture(0);
  runtime.copy(place(to), place(from), from.meta().nbytes(), stream);
  void* const node = runtime.captured_copy(0, stream);
  const CapturedGraph made = runtime.end_capture(0, stream);
  ASSERT_NE(made.graph, nullptr);
  const cuda::Stream other;
  for (int i = 0; i < 10; ++i) {
    const cuda::StreamGuard guard(other);
    if (i % 5 == 4) cuda::empty_cache();
    const Tensor x = randn({1000 + i * 300000}).cuda(), y = zeros({1000 + i * 300000}).cuda();
    EXPECT_TRUE(
        runtime.set_copy(0, made.graph, node, y.raw_data(), x.raw_data(), from.meta().nbytes()));
    runtime.launch_graph(0, made.graph, other.handle());
    expect_tensor(y.slice(0, 0, 1000).cpu(), x.slice(0, 0, 1000).cpu());
  }
  runtime.destroy_graph(0, made.graph);
}

/// Launches keep the addresses that they were given, come one after the other on whatever stream,
/// and outlive their graph.
TEST_F(CudaCapture, LaunchesAreIndependentOfWhatFollows) {
  const NoGradGuard no_grad;
  const bool is_emulated = cuda::get_device_properties().name == "emulated";
  const int runs = is_emulated ? 8 : 60;
  const int64_t n = is_emulated ? 16 : 512;
  Tensor total = zeros({n, n}, {.device = Device::cuda()});
  const Tensor w = randn({n, n}).cuda() * 0.01;
  const auto f = [&](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < 8; ++i) y = tanh(y.matmul(w)) + x;
    total.add_(y);
    return y;
  };
  Tensors in, out;
  for (int i = 0; i < runs; ++i) in.push_back(randn({n, n}).cuda());
  const cuda::Stream streams[2];
  {
    Program program = compile(f, {in[0]});
    cuda::synchronize();
    for (int i = 0; i < runs; ++i) {
      const cuda::StreamGuard guard(streams[i % 2]);
      out.push_back(program(in[static_cast<size_t>(i)]));
    }
    EXPECT_TRUE(program.replay().starts_with("one CUDA graph")) << program.replay();
  }
  cuda::synchronize();
  const Tensor expected_total = total.clone();
  total.zero_();
  for (size_t i = 0; i < in.size(); ++i) {
    const Tensor y = f(in[i]);
    expect_bits(out[i], y);
  }
  expect_bits(total, expected_total);
}

/// A kernel with more shared memory than all have asks for it, in captures too.
TEST_F(CudaCapture, KernelsMayAskForSharedMemory) {
  const Tensor x = randn({3, 11000}).cuda();
  Program program = compile([](const Tensor& a) { return softmax(a, 1); }, {x});
  for (int i = 0; i < 4; ++i) expect_bits(program(x), softmax(x, 1));
  EXPECT_TRUE(program.replay().starts_with("one CUDA graph")) << program.replay();
}

}  // namespace
}  // namespace reprise
