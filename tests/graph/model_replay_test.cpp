// Inference of the models in the tests: the bits of eager, or nearly where weights are folded.

#include <gtest/gtest.h>

#include <cmath>

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "example_models.h"
#include "replay.h"

namespace reprise::test {
namespace {

struct Case {
  std::string name;
  std::function<std::shared_ptr<nn::Module>()> model;
  Shape input;
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

std::shared_ptr<nn::Module> normalised() {
  auto net = std::make_shared<nn::Sequential>(nn::Conv2d(3, 8, 3, {.padding = 1, .bias = false}),
                                              nn::BatchNorm2d(8), nn::ReLU(), nn::Conv2d(8, 12, 3),
                                              nn::BatchNorm2d(12), nn::AvgPool2d(2), nn::Flatten());
  const NoGradGuard no_grad;
  for (int i = 0; i < 5; ++i) (void)net->call(std::array{randn({4, 3, 10, 10})});
  return net;
}

std::vector<Case> cases() {
  const auto symbolic = [](auto make) {
    return [make] { return std::make_shared<SymbolicModel>(make()); };
  };
  return {{"toy_resnet", symbolic([] { return toy_resnet(); }), {2, 3, 32, 32}},
          {"toy_resnet_called", symbolic(toy_resnet_called), {1, 3, 32, 32}},
          {"net", symbolic(net), {3, 1, 28, 28}},
          {"normalised", normalised, {4, 3, 10, 10}}};
}

class ModelReplay : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    manual_seed(1);
    model_ = GetParam().model();
    model_->eval();
    for (int i = 0; i < 3; ++i) inputs_.push_back(randn(GetParam().input));
  }
  Tensor eager(const Tensor& x) const { return model_->call(std::array{x}).front(); }
  Program program(const CompileOptions& options) const {
    return compile([&](const Tensor& x) { return eager(x); }, {inputs_[0]}, options);
  }

  const NoGradGuard no_grad_;
  std::shared_ptr<nn::Module> model_;
  std::vector<Tensor> inputs_;
};

TEST_P(ModelReplay, HasTheBitsOfEager) {
  for (const std::string& passes : pass_specs()) {
    Program checked = program({.passes = passes, .check_memory = true});
    ASSERT_EQ(fault_of(checked), "") << passes;
    for (const Tensor& x : inputs_) EXPECT_EQ(difference(checked(x), eager(x)), "") << passes;
  }
}

TEST_P(ModelReplay, HasSameBitsInEachRunAndForAnyNumberOfThreads) {
  Program all = program({});
  const Tensor expected = all(inputs_[0]);
  for (const int threads : {1, 2, 4}) {
    const Threads guard(threads);
    Program other = program({});
    for (int i = 0; i < 2; ++i) EXPECT_EQ(difference(other(inputs_[0]), expected), "");
  }
  (void)all(inputs_[1]);
  EXPECT_EQ(difference(all(inputs_[0]), expected), "");
}

INSTANTIATE_TEST_SUITE_P(All, ModelReplay, testing::ValuesIn(cases()),
                         [](const auto& c) { return c.param.name; });

}  // namespace
}  // namespace reprise::test
