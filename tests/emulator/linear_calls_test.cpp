// How many calls a step of training takes for linear layers and their activations: kernels that are
// launched and products of cuBLASLt.

#include <gtest/gtest.h>

#include <algorithm>

#include "../../core/random.h"
#include "../../graph/training_step.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../graph/program_on_gpu.h"
#include "blas.h"
#include "calls.h"

namespace reprise::test {
namespace {

using emulator::PlayedBlas;

struct Count {
  int64_t kernels = 0, products = 0;
  friend bool operator==(const Count&, const Count&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Count& c) {
    return out << c.kernels << " kernels, " << c.products << " products";
  }
};

/// Those of a run that is not captured yet, of a program with these passes.
Count count_of_step(const std::string& passes) {
  manual_seed(3);
  nn::Sequential model(nn::Linear(16, 16), nn::ReLU(), nn::Linear(16, 8), nn::GELU("tanh"),
                       nn::Linear(8, 8));
  model.to(kGpu);
  optim::SGD sgd(model.parameters(), {.lr = 0.05});
  const Tensor x = randn({10, 16}).to(kGpu), wanted = randn({10, 8}).to(kGpu);
  const auto loss_of = [](const Tensor& y, const Tensor& to) { return mse_loss(y, to); };
  TrainingStepOptions options;
  options.compile.passes = passes;
  TrainingStep step = compile_training_step(model, loss_of, sgd, {x, wanted}, options);
  Count count;
  const int before = PlayedBlas::products();
  const auto calls = emulator::calls_of([&] { step(x, wanted); });
  count.kernels = std::ranges::count_if(
      calls, [](const std::string& call) { return call.starts_with("cudaLaunchKernel"); });
  count.products = PlayedBlas::products() - before;
  return count;
}

/// What fusing saves.
Count saved_by_fusing() {
  const Count single = count_of_step("-fuse"), fused = count_of_step("");
  EXPECT_EQ(fused.products, single.products);
  return {single.kernels - fused.kernels, fused.products};
}

TEST(CudaLinearCalls, DoActivationsInProductsOfTheirOwn) {
  EXPECT_EQ(saved_by_fusing(), (Count{2, 0}));  // the ReLU and its gradient
}

TEST(CudaLinearCalls, DoActivationsInProductsOfTheLibrary) {
  const PlayedBlas played;
  const int before = PlayedBlas::products(CUBLASLT_EPILOGUE_DRELU);
  EXPECT_EQ(saved_by_fusing(), (Count{0, 8}));
  const int masked = PlayedBlas::products(CUBLASLT_EPILOGUE_DRELU) - before;
  EXPECT_EQ(masked, 1);  // with a mask made in place of a gradient
  cuda::set_allow_tf32(true);
  const Count saved = saved_by_fusing();
  cuda::set_allow_tf32(false);
  EXPECT_EQ(saved, (Count{3, 8}));  // the GELU, its gradient and the ReLU
  EXPECT_EQ(PlayedBlas::misuses(), "");
}

}  // namespace
}  // namespace reprise::test
