// Trainings on a CUDA device: as on the CPU, and as one program the bits of eager.

#include <gtest/gtest.h>

#include <cmath>

#include "../../autograd/tape.h"
#include "../../core/cuda.h"
#include "training_cases.h"

namespace reprise::test {
namespace {

constexpr double kTolerance = 2e-4;  // relative to the largest value of a tensor, after all steps

double largest(const Tensor& x) {
  return x.numel() == 0 ? 0 : max(abs(x.to(float64))).item<double>();
}

/// Empty when the tensors are the same but for rounding.
std::string distance(const Tensors& got, const Tensors& expected, std::string_view what) {
  for (size_t i = 0; i < expected.size(); ++i) {
    const Tensor there = got[i].cpu();
    if (!is_floating_point(there.dtype())) {
      const std::string fault = difference(there, expected[i]);
      if (!fault.empty()) return text(what, " ", i, ": ", fault);
      continue;
    }
    const double bound = kTolerance * std::max(1.0, largest(expected[i]));
    const double off = largest(there - expected[i]);
    if (!(off <= bound)) return text(what, " ", i, " is off by ", off);
  }
  return {};
}

Tensors on_cpu(const Tensors& tensors) {
  Tensors out;
  for (const Tensor& t : tensors) out.push_back(t.cpu());
  return out;
}
Outcome on_cpu(const Outcome& o) {
  return {on_cpu(o.losses), on_cpu(o.model), on_cpu(o.optimizer)};
}

class CudaTraining : public testing::TestWithParam<TrainingCase> {
 protected:
  void SetUp() override {
    if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
    few_ = GetParam();
    few_.steps = 2;
  }
  TrainingCase few_;
};

TEST_P(CudaTraining, IsThatOfTheCpu) {
  const Outcome expected = Training(few_).run_eagerly();
  const Outcome got = Training(few_, Device::cuda()).run_eagerly();
  EXPECT_EQ(distance(got.losses, expected.losses, "loss of step"), "");
  EXPECT_EQ(distance(got.model, expected.model, "parameter or buffer"), "");
  EXPECT_EQ(distance(got.optimizer, expected.optimizer, "optimizer state"), "");
}

TEST_P(CudaTraining, ReplaysWithTheBitsOfEager) {
  const Outcome expected = on_cpu(Training(few_, Device::cuda()).run_eagerly());
  for (const std::string& passes : {std::string("none"), std::string()}) {
    Training training(few_, Device::cuda());
    Program program = training.program({.passes = passes});
    EXPECT_EQ(on_cpu(training.run(program)).fault(expected), "") << passes;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaTraining, testing::ValuesIn(training_cases()),
                         [](const auto& c) { return c.param.name; });

/// Ten thousand runs of the first case's inference program give the same bits.
TEST(LongCudaReplay, HasTheSameBitsTenThousandTimes) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  const NoGradGuard no_grad;
  manual_seed(1);
  SymbolicModel model = toy_resnet();
  model.eval();
  model.to(Device::cuda());
  const Tensor x = randn({4, 3, 32, 32}).cuda();
  Program program = compile([&](const Tensor& in) { return model(in); }, {x});
  const Tensor expected = program(x).cpu();
  const Tensor out = program(x);
  for (int i = 0; i < 10000; ++i) {
    program.run({x}, {out});
    if (i % 100 == 0) {
      ASSERT_EQ(difference(out.cpu(), expected), "") << "run " << i;
    }
  }
}

}  // namespace
}  // namespace reprise::test
