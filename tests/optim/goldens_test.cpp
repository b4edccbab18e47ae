// Parameters after each of ten steps, and learning rates over twelve epochs, against PyTorch.

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <memory>

#include "../../core/ops.h"
#include "../../io/safetensors.h"
#include "../../optim/optim.h"
#include "../core/on_device.h"

namespace reprise {
namespace {

constexpr int kSteps = 10, kEpochs = 12;

using Params = std::vector<Tensor>;
using MakeOptimizer = std::function<std::unique_ptr<optim::Optimizer>(const Params&)>;

MakeOptimizer sgd(const optim::SGDOptions& options) {
  return [=](const Params& p) { return std::make_unique<optim::SGD>(p, options); };
}
MakeOptimizer adam(const optim::AdamOptions& options) {
  return [=](const Params& p) { return std::make_unique<optim::Adam>(p, options); };
}

// In the order of the table in make_goldens.py.
const std::vector<std::pair<std::string, MakeOptimizer>> rows{
    {"SGD_00", sgd({.lr = 0.1})},
    {"SGD_01", sgd({.lr = 0.1, .momentum = 0.9})},
    {"SGD_02", sgd({.lr = 0.1, .momentum = 0.9, .dampening = 0.5})},
    {"SGD_03", sgd({.lr = 0.1, .momentum = 0.9, .nesterov = true})},
    {"SGD_04", sgd({.lr = 0.1, .momentum = 0.5, .weight_decay = 0.01})},
    {"Adam_05", adam({.lr = 0.01})},
    {"Adam_06", adam({.lr = 0.01, .betas = {0.8, 0.95}, .eps = 1e-6, .weight_decay = 0.1})},
    {"Adam_07", adam({.lr = 0.01, .amsgrad = true})},
};

class OptimizerGoldens : public test::OnEachDevice {
 protected:
  void SetUp() override {
    OnEachDevice::SetUp();
    const char* shared = std::getenv("REPRISE_SHARED");
    if (shared == nullptr) GTEST_SKIP() << "REPRISE_SHARED is not set";
    goldens_ = load_safetensors(std::string(shared) + "/goldens/optimizers.safetensors");
  }
  void expect_near(const Tensor& got, const std::string& name) {
    const auto x = got.to_vector<double>(), y = goldens_.at(name).to_vector<double>();
    ASSERT_EQ(x.size(), y.size());
    for (size_t i = 0; i < x.size(); ++i) EXPECT_NEAR(x[i], y[i], 1e-12) << name << " " << i;
  }

  SafeTensors goldens_;
};

REPRISE_ON_EACH_DEVICE(OptimizerGoldens);

TEST_P(OptimizerGoldens, TheTrajectoriesAreThoseOfPyTorch) {
  for (const auto& [name, make] : rows) {
    Params params;
    for (const char* start : {"start/p0", "start/p1"}) {
      params.push_back(goldens_.at(start).clone().to(device()).requires_grad_());
    }
    const auto optimizer = make(params);
    for (int t = 0; t < kSteps; ++t) {
      for (size_t i = 0; i < params.size(); ++i) {
        params[i].set_grad(goldens_.at(text("grad", t, "/p", i)).to(device()));
      }
      optimizer->step();
      for (size_t i = 0; i < params.size(); ++i) {
        expect_near(params[i], text(name, "/step", t, "/p", i));
      }
    }
  }
}

TEST_P(OptimizerGoldens, TheSchedulesAreThoseOfPyTorch) {
  const auto rates = [](auto make) {
    const Tensor p = zeros({1}, {.device = device(), .requires_grad = true});
    optim::SGD optimizer({p}, {.lr = 0.1});
    auto schedule = make(optimizer);
    std::vector<double> out;
    for (int t = 0; t < kEpochs; ++t, schedule.step()) out.push_back(optimizer.lr());
    return tensor(out, {.dtype = float64});
  };
  expect_near(rates([](auto& o) { return optim::StepLR(o, 3, 0.5); }), "StepLR/lr");
  expect_near(rates([](auto& o) { return optim::CosineAnnealingLR(o, 8, 0.001); }),
              "CosineAnnealingLR/lr");
}

}  // namespace
}  // namespace reprise
