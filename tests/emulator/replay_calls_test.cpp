// What a program asks of CUDA's runtime: how little a replay is, and that any call may fail.

#include <gtest/gtest.h>

#include <algorithm>

#include <cuda_runtime.h>

#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/random.h"
#include "../graph/program_on_gpu.h"
#include "blas.h"
#include "calls.h"

namespace reprise::test {
namespace {

using Calls = std::vector<std::string>;

/// The calls of `run`, without those that tell the current device.
Calls calls_of(const std::function<void()>& run) {
  Calls calls = emulator::calls_of(run);
  std::erase(calls, "cudaGetDevice");
  return calls;
}

TEST(CudaReplayCalls, AReplayIsOneLaunch) {
  const Tensor x = randn({4, 8}).cuda(), other = randn({4, 8}).cuda(), y = zeros({4}).cuda();
  const Tensor w = randn({8, 8}).cuda();
  Program program =
      compile([&](const Tensor& in) { return sum(dropout(tanh(in.matmul(w)), 0.5), 1); }, {x});
  for (int i = 0; i < 3; ++i) program.run({x}, {y});
  ASSERT_TRUE(is_one_graph(program.replay())) << program.replay();
  const auto run = [&](const Tensor& in) { return calls_of([&] { program.run({in}, {y}); }); };
  const std::string set = "cudaGraphExecMemcpyNodeSetParams1D";
  EXPECT_EQ(run(x), (Calls{"cudaGraphLaunch", "cudaEventRecord"}));
  EXPECT_EQ(run(other), (Calls{set, "cudaGraphLaunch", "cudaEventRecord"}));
  const Calls fresh = calls_of([&] { (void)program(other); });
  EXPECT_EQ(std::ranges::count(fresh, set), 1);
  EXPECT_EQ(std::ranges::count(fresh, "cudaGraphLaunch"), 1);
  manual_seed(1);  // the counter on the device is moved
  EXPECT_EQ(run(x), (Calls{"cudaLaunchKernel", set, set, "cudaGraphLaunch", "cudaEventRecord"}));
}

TEST(CudaReplayCalls, MemoryOfOthersIsCopiedApart) {
  std::vector<float> values(2 * 64);  // pinned by somebody, say, and not of the device's pools
  const auto foreign = [&](size_t at) {
    return Tensor(make_ref<TensorImpl>(Meta({64}, float32, kGpu),
                                       make_ref<Storage>(
                                           &values[at], 64 * sizeof(float), [](void*) {}, kGpu)));
  };
  const Tensor x = randn({64}).cuda(), in = foreign(0), out = foreign(64);
  Tensor(in).copy_(x * 2);
  const auto f = [](const Tensor& a) { return exp(a).neg(); };
  for (const bool begins_with_foreign : {false, true}) {
    Program program = compile(f, {x});
    for (int i = 0; i < 12; ++i) {
      if ((i % 4 < 2) == begins_with_foreign) {
        Tensor(out).fill_(0);
        program.run({in}, {out});
        expect_bits(out, f(in));
      } else {
        expect_bits(program(x), f(x));
      }
    }
    EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
  }
}

/// x -> x; the first capture is spoilt behind it, as by another thread.
struct SpoilsOne {
  static constexpr std::string_view name = "spoils_one";
  static inline bool has_spoilt = false;
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, in[0].dtype)}; }
  void cuda(const Launch& l) const {
    auto* const stream = static_cast<cudaStream_t>(l.stream.handle);
    (void)cudaMemcpyAsync(l.out[0].data, l.in[0].data, l.in[0].meta->nbytes(),
                          cudaMemcpyDeviceToDevice, stream);
    cudaStreamCaptureStatus status{};
    (void)cudaStreamIsCapturing(stream, &status);
    if (status == cudaStreamCaptureStatusNone || std::exchange(has_spoilt, true)) return;
    EXPECT_NE(cudaDeviceSynchronize(), cudaSuccess);
  }
};

TEST(CudaReplayCalls, WhatALibraryMeetsInASpoiltCaptureIsNotItsDoing) {
  const NoGradGuard no_grad;
  const emulator::PlayedBlas blas;
  const Tensor x = randn({64, 64}).cuda();
  const auto f = [](const Tensor& a) { return apply(SpoilsOne{}, a).matmul(a).neg(); };
  Program program = compile(f, {x});
  const Tensor expected = f(x);
  for (int i = 0; i < 4; ++i) expect_bits(program(x), expected);
  EXPECT_TRUE(SpoilsOne::has_spoilt);
  const std::string replay = program.replay();
  EXPECT_TRUE(is_one_graph(replay)) << replay;
  EXPECT_NE(replay.find("1 capture that others spoilt (matmul: cublasLtMatmul"), std::string::npos)
      << replay;
}

/// Two segments, random numbers, a result that a host step looks at.
Tensor f(const Tensor& x) {
  const HostFunction twice = [](const Tensors& in) { return Tensors{(in[0].cpu() * 2).cuda()}; };
  const Tensor h = dropout(tanh(x), 0.5);
  return dropout(host_call("twice", twice, {h}, std::array{h.meta()})[0], 0.5) + 1;
}

struct Result {
  uint64_t offset;  // of the generator before the run
  Tensor y;
};

/// What runs of a fresh program give, of which the n-th call fails; and how it runs in the end.
std::vector<Result> results_with_failure(int64_t n, const Tensor& x, std::string& replay) {
  std::vector<Result> results;
  const auto attempt = [](const auto& g) {
    try {
      g();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("another status"), std::string::npos);
    }
  };
  emulator::refuse_call(n);
  attempt([&] {  // compiling takes memory
    Program program = compile(f, {x});
    for (int i = 0; i < 7; ++i) {
      const uint64_t offset = default_generator().offset();
      attempt([&] { results.push_back({offset, program(x).cpu()}); });
    }
    replay = program.replay();
  });
  return results;
}

TEST(CudaReplayCalls, AnyOfThemMayFail) {
  const NoGradGuard no_grad;
  const Tensor x = randn({3, 5}).cuda();
  const int64_t in_use = cuda::memory_stats().in_use;
  int64_t n = 0, loops = 0;
  for (bool was_refused = true; was_refused;) {
    std::string replay;
    manual_seed(7);
    const std::vector<Result> results = results_with_failure(++n, x, replay);
    was_refused = emulator::was_refused();
    EXPECT_EQ(cuda::memory_stats().in_use, in_use) << n;
    EXPECT_TRUE(replay.empty() || results.size() >= 6) << n;
    if (replay.find("a loop of") == 0) ++loops;
    for (const Result& result : results) {
      default_generator().manual_seed(7, result.offset);
      EXPECT_EQ(difference(result.y, f(x).cpu()), "") << n;
    }
  }
  EXPECT_GT(n, 100);
  EXPECT_GT(loops, 20);  // the capture failed
  EXPECT_LT(loops, n / 2);
}

}  // namespace
}  // namespace reprise::test
