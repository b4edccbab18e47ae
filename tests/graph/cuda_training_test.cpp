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

/// So many replays give the bits of eager, wherever input and output lie.
template <class M>
void expect_same_bits(int runs, M model, const Shape& shape) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  const NoGradGuard no_grad;
  model.eval();
  model.to(Device::cuda());
  const Tensor x = randn(shape).cuda();
  const Tensor expected = model(x).cpu();
  const Tensor odd = empty({x.numel() + 1}, {.device = x.device()}).slice(0, 1, x.numel() + 1);
  Tensor(odd).copy_(x.flatten());
  Program program = compile([&](const Tensor& in) { return model(in); }, {x});
  const std::array inputs{x, odd.view(shape), x.clone()};
  const Tensor out = program(x);
  for (int i = 0; i < runs; ++i) {
    program.run({inputs[static_cast<size_t>(i) % 3]}, {out});
    if (i < 4 || i % 97 == 0) {
      ASSERT_EQ(difference(out.cpu(), expected), "") << "run " << i;
    }
  }
  EXPECT_EQ(program.replay().find("one CUDA graph of "), 0U) << program.replay();
}

nn::Sequential small_net() {
  return nn::Sequential(nn::Conv2d(3, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::ReLU(),
                        nn::MaxPool2d(2), nn::Flatten(), nn::Linear(36, 12), nn::Tanh(),
                        nn::Linear(12, 5), nn::Softmax(1));
}

TEST(CudaReplay, HasTheBitsOfEagerManyTimes) {
  manual_seed(1);
  expect_same_bits(300, small_net(), {2, 3, 6, 6});
}
TEST(LongCudaReplay, HasTheBitsOfEagerTenThousandTimes) {
  manual_seed(1);
  expect_same_bits(10000, small_net(), {2, 3, 6, 6});
  if (!cuda::is_available() || cuda::get_device_properties().major == 0)
    return;  // emulated: too slow
  expect_same_bits(10000, toy_resnet(), {4, 3, 32, 32});
}

}  // namespace
}  // namespace reprise::test
