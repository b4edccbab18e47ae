// Training runs of 50 steps, eager against one program replayed: the same bits in losses,
// parameters, buffers and optimizer state, for every optimizer, number of threads and selection of
// passes.

#include <gtest/gtest.h>

#include "training_cases.h"

namespace reprise::test {
namespace {

Outcome replayed(const TrainingCase& c, const CompileOptions& options, int threads = 1) {
  const Threads guard(threads);
  Training training(c);
  Program program = training.program(options);
  EXPECT_EQ(fault_of(program), "");
  return training.run(program);
}

class TrainingReplay : public testing::TestWithParam<TrainingCase> {};

TEST_P(TrainingReplay, HasTheBitsOfEager) {
  const Outcome eager = Training(GetParam()).run_eagerly();
  ASSERT_NE(difference(eager.losses.front(), eager.losses.back()), "") << "nothing was learnt";
  const std::vector<std::string> passes = pass_specs();
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(replayed(GetParam(), {.passes = passes[i]}).fault(eager), "") << passes[i];
  }
}

TEST_P(TrainingReplay, HasSameBitsForAnyNumberOfThreads) {
  TrainingCase c = GetParam();
  c.steps = 10;
  const Outcome expected = replayed(c, {});
  for (const int threads : {1, 2, 4}) {
    EXPECT_EQ(replayed(c, {}, threads).fault(expected), "") << threads << " threads";
  }
}

TEST_P(TrainingReplay, NeverMissesWhatWasOverwritten) {
  TrainingCase c = GetParam();
  c.steps = 3;
  EXPECT_EQ(replayed(c, {.check_memory = true}).fault(replayed(c, {})), "");
}

INSTANTIATE_TEST_SUITE_P(All, TrainingReplay, testing::ValuesIn(training_cases()),
                         [](const auto& c) { return c.param.name; });

/// Channels-last, with gradients and optimizer state to match, the losses are the same but for
/// rounding.
TEST(TrainingReplayFormats, LearnAlike) {
  for (TrainingCase c : training_cases()) {
    if (c.format == contiguous_format) continue;
    c.steps = 5;
    const Outcome last = Training(c).run_eagerly();
    c.format = contiguous_format;
    const Outcome expected = Training(c).run_eagerly();
    for (size_t i = 0; i < last.losses.size(); ++i) {
      EXPECT_NEAR(last.losses[i].item<double>(), expected.losses[i].item<double>(), 1e-4) << c;
    }
    for (const Tensors& tensors : {last.model, last.optimizer}) {
      for (const Tensor& t : tensors) {
        EXPECT_TRUE(t.dim() != 4 || t.is_contiguous(channels_last)) << to_string(t.strides());
      }
    }
  }
}

/// Gradients of four micro-batches are added up before an update.
struct Accumulation {
  Accumulation() {
    manual_seed(1);
    model = mlp();
    optimizer = adam({.lr = 0.01})(model->parameters());
    for (const Tensor& p : model->parameters()) p.set_grad(zeros_like(p.detach()));
  }
  Tensor add(const Tensor& x, const Tensor& target) const {
    const Tensor loss = cross_entropy(model->call(std::array{x}).front(), target) / 4;
    loss.backward();
    return loss.detach();
  }
  void update() const {
    optimizer->step();
    optimizer->zero_grad(false);
  }

  Model model;
  std::unique_ptr<optim::Optimizer> optimizer;
};

template <class Add, class Update>
Outcome accumulate(const Accumulation& training, Add&& add, Update&& update) {
  manual_seed(2);
  Outcome out;
  for (int i = 0; i < 4 * kSteps; ++i) {
    const Tensor x = randn({4, 20});
    const Tensor target = argmax(slice(x, 1, 0, 5), 1);
    out.losses.push_back(add(x, target));
    if (i % 4 == 3) update();
  }
  for (const auto& [name, tensor] : training.model->state_dict()) out.model.push_back(tensor);
  for (const Tensor& t : training.optimizer->state()) out.optimizer.push_back(t);
  return out;
}

TEST(TrainingReplayAccumulation, HasTheBitsOfEager) {
  const Accumulation eager, traced;
  const Outcome expected = accumulate(
      eager, [&](const Tensor& x, const Tensor& target) { return eager.add(x, target); },
      [&] { eager.update(); });
  const auto add = [&](const Tensor& x, const Tensor& target) { return traced.add(x, target); };
  Program adds = compile(add, {Meta({4, 20}, float32), Meta({4}, int64)});
  Program updates = compile([&] { traced.update(); }, {});
  const auto update = [&] { updates.run({}, {}); };
  EXPECT_EQ(accumulate(traced, adds, update).fault(expected), "");
}

}  // namespace
}  // namespace reprise::test
