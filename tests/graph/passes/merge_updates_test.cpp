#include "../../../core/ops/random.h"
#include "../../../core/ops/update.h"

#include "builder.h"

namespace reprise::test {
namespace {

/// Parameters of an optimizer with momentum, all captured.
struct Steps : Builder {
  ValueId lr = capture(reprise::full({}, 0.1, {.dtype = float64}));
  std::vector<ValueId> params;

  ValueId add_param() {
    params.push_back(capture(ones({3})));
    return params.back();
  }
  ValueId step(ValueId param, ValueId grad, double momentum = 0.9) {
    const ValueId velocity = capture(ones({3})), count = capture(zeros({}, {.dtype = float64}));
    const Call& call =
        g.add_call(Model(SgdStep{.momentum = momentum}), {lr, param, grad, velocity, count});
    const ValueIds out = call.out;
    g.updates.push_back({param, out[0]});
    g.updates.push_back({velocity, out[1]});
    g.updates.push_back({count, out[2]});
    return out[0];
  }
};

std::string merged(const Steps& b, std::initializer_list<ValueId> outputs, const Tensors& in) {
  Steps copy = b;
  const Graph before = copy.finish(outputs);
  const Graph after = passes::merge_updates(before);
  verify(after);
  expect_same_bits(evaluate(after, in), evaluate(before, in));
  return calls(after);
}

TEST(MergeUpdates, MergesStepsOfOneLearningRate) {
  Steps b;
  const ValueId x = b.input({3});
  for (int i = 0; i < 3; ++i) b.step(b.add_param(), b.call(Exp{}, {x}));
  EXPECT_EQ(merged(b, {}, {ones({3})}), "exp exp exp sgd_step");
}

TEST(MergeUpdates, LeavesStepsOnTheirSideOfACallWithEffects) {
  Steps b;
  const ValueId x = b.input({3});
  b.step(b.add_param(), b.call(Exp{}, {x}));
  b.g.add_call(Model(RandomBlocks{1, Device::cpu()}), {});
  b.step(b.add_param(), b.call(Exp{}, {x}));
  Steps copy = b;
  EXPECT_EQ(calls(passes::merge_updates(copy.finish({}))),
            "exp sgd_step random_blocks exp sgd_step");
}

TEST(MergeUpdates, LetsNoLargeGradientWait) {
  Builder b;
  const ValueId lr = b.capture(reprise::full({}, 0.1, {.dtype = float64}));
  for (const int64_t size : {3, 40000, 3, 40000}) {
    const ValueId param = b.capture(ones({size})), count = b.capture(zeros({}, {.dtype = float64}));
    const ValueId unused = b.capture(zeros({0}));
    const ValueIds out =
        b.g.add_call(Model(SgdStep{}), {lr, param, b.input({size}), unused, count}).out;
    b.g.updates.push_back({param, out[0]});
    b.g.updates.push_back({unused, out[1]});
    b.g.updates.push_back({count, out[2]});
  }
  EXPECT_EQ(calls(passes::merge_updates(b.finish({}))), "sgd_step sgd_step");
}

TEST(MergeUpdates, KeepsAttributesAndLearningRatesApart) {
  Steps b;
  const ValueId x = b.input({3});
  b.step(b.add_param(), x, 0.9);
  b.step(b.add_param(), x, 0.5);
  b.step(b.add_param(), x, 0.9);
  b.lr = b.capture(reprise::full({}, 0.2, {.dtype = float64}));
  b.step(b.add_param(), x, 0.9);
  EXPECT_EQ(merged(b, {}, {ones({3})}), "sgd_step sgd_step sgd_step");
}

TEST(MergeUpdates, KeepsReadersInTheirPlace) {
  Steps b;
  const ValueId x = b.input({3});
  const ValueId next = b.step(b.add_param(), x);
  const ValueId y = b.call(Exp{}, {next});
  b.step(b.add_param(), x);
  b.step(b.add_param(), y);
  EXPECT_EQ(merged(b, {y}, {ones({3})}), "sgd_step exp sgd_step");
}

TEST(MergeUpdates, KeepsGradientsThatAreWritten) {
  Steps b;
  const ValueId grad = b.call(Exp{}, {b.input({3})});
  b.step(b.add_param(), grad);
  const ValueId cleared = b.call(Neg{}, {grad}, grad);
  b.step(b.add_param(), cleared);
  EXPECT_EQ(merged(b, {}, {ones({3})}), "exp sgd_step neg sgd_step");
}

TEST(MergeUpdates, StepsOneParameterTwice) {
  Steps b;
  const ValueId x = b.input({3});
  const ValueId velocity = b.capture(ones({3})), count = b.capture(zeros({}, {.dtype = float64}));
  ValueIds state{b.add_param(), velocity, count};
  for (int i = 0; i < 2; ++i) {
    state =
        b.g.add_call(Model(SgdStep{.momentum = 0.9}), {b.lr, state[0], x, state[1], state[2]}).out;
  }
  b.g.updates = {{b.params[0], state[0]}, {velocity, state[1]}, {count, state[2]}};
  EXPECT_EQ(merged(b, {}, {ones({3})}), "sgd_step sgd_step");
}

}  // namespace
}  // namespace reprise::test
