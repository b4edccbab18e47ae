// What optimizers and the gradient scaler ask of CUDA's runtime: a few launches for any number of
// parameters, and nothing that waits.

#include <gtest/gtest.h>

#include <algorithm>

#include "../../layers/clip_grad.h"
#include "../../optim/adam.h"
#include "../../optim/grad_scaler.h"
#include "../graph/program_on_gpu.h"
#include "calls.h"

namespace reprise::test {
namespace {

/// Launches of kernels in f, which neither waits nor copies.
int64_t launches_of(const std::function<void()>& f) {
  const std::vector<std::string> calls = emulator::calls_of(f);
  for (const std::string& call : calls) {
    EXPECT_EQ(call.find("Synchronize"), std::string::npos) << call;
    EXPECT_EQ(call.find("Memcpy"), std::string::npos) << call;
  }
  return std::ranges::count_if(
      calls, [](const std::string& call) { return call.starts_with("cudaLaunchKernel"); });
}

TEST(CudaOptimizerCalls, TakeAllParametersTogether) {
  std::vector<Tensor> parameters;
  for (int64_t i = 1; i <= 40; ++i) {
    parameters.push_back(ones({i, 7}, {.device = kGpu, .requires_grad = true}));
    parameters.back().set_grad(ones({i, 7}, {.device = kGpu}));
  }
  optim::Adam optimizer(parameters, {.lr = 0.1});
  optim::GradScaler scaler;
  optimizer.step();  // makes what it remembers
  (void)scaler.scale(ones({}, {.device = kGpu}));
  EXPECT_EQ(launches_of([&] { optimizer.step(); }), 4);  // 32 parameters, and the rest
  EXPECT_EQ(launches_of([&] { scaler.unscale_(optimizer); }), 2);
  EXPECT_LE(launches_of([&] { scaler.step(optimizer); }), 8);
  EXPECT_LE(launches_of([&] { scaler.update(); }), 2);
  EXPECT_EQ(scaler.get_scale(), 65536);
}

/// A norm is two launches, and one for each table of tensors beyond the first.
TEST(CudaOptimizerCalls, ClipsAllGradientsTogether) {
  std::vector<Tensor> parameters;
  for (int64_t i = 1; i <= 300; ++i) {
    parameters.push_back(ones({i % 40 + 1, 7}, {.device = kGpu, .requires_grad = true}));
    parameters.back().set_grad(ones(parameters.back().shape(), {.device = kGpu}));
  }
  const std::vector<Tensor> some(parameters.begin(), parameters.begin() + 150);
  EXPECT_EQ(launches_of([&] { nn::clip_grad_norm_(some, 1); }), 3);
  EXPECT_EQ(launches_of([&] { nn::clip_grad_norm_(parameters, 1); }), 5);
  EXPECT_EQ(launches_of([&] { nn::clip_grad_value_(some, 1); }), 1);
}

}  // namespace
}  // namespace reprise::test
