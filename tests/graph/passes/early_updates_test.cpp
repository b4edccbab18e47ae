#include "../../../core/ops/update.h"

#include "builder.h"

namespace reprise::test {
namespace {

/// A parameter of an optimizer with momentum.
struct Steps : Builder {
  ValueId lr = capture(reprise::full({}, 0.1, {.dtype = float64}));
  ValueId x = input({3});

  struct Param {
    ValueId value, velocity, count;
  };
  Param param() {
    return {capture(ones({3})), capture(ones({3})), capture(zeros({}, {.dtype = float64}))};
  }
  ValueId step(const Param& p, ValueId grad) {
    const Model op(SgdStep{.momentum = 0.9});
    const ValueIds out = g.add_call(op, {lr, p.value, grad, p.velocity, p.count}).out;
    g.updates.push_back({p.value, out[0]});
    g.updates.push_back({p.velocity, out[1]});
    g.updates.push_back({p.count, out[2]});
    return out[0];
  }
  std::string moved(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::early_updates(before);
    verify(after);
    const Tensors in{ones({3})};
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(EarlyUpdates, FollowTheirGradients) {
  Steps b;
  const auto p = b.param(), q = b.param();
  const ValueId grad_p = b.call(Exp{}, {b.x}), grad_q = b.call(Neg{}, {grad_p});
  const ValueId y = b.call(Abs{}, {grad_q});
  b.step(p, grad_p);
  b.step(q, grad_q);
  EXPECT_EQ(b.moved({y}), "exp sgd_step neg sgd_step abs");
}

TEST(EarlyUpdates, WaitForReadersOfTheParameterAndItsViews) {
  Steps b;
  const auto p = b.param();
  const ValueId grad = b.call(Exp{}, {b.x});
  const ValueId view = b.call(ViewAs{{1, 3}}, {p.value});
  const ValueId read = b.call(Neg{}, {view}), y = b.call(Abs{}, {read});
  b.step(p, grad);
  EXPECT_EQ(b.moved({y}), "exp view neg sgd_step abs");
}

TEST(EarlyUpdates, StayBehindEarlierWritesAndSteps) {
  Steps b;
  const auto p = b.param();
  const ValueId first = b.call(Exp{}, {b.x});
  const ValueId written = b.call(Neg{}, {p.value}, p.value);
  const ValueId y = b.call(Abs{}, {b.x});
  const Model op(SgdStep{.momentum = 0.9});
  const ValueIds once = b.g.add_call(op, {b.lr, written, first, p.velocity, p.count}).out;
  const ValueId z = b.call(Relu{}, {y});
  const ValueIds twice = b.g.add_call(op, {b.lr, once[0], first, once[1], once[2]}).out;
  b.g.updates = {{p.value, twice[0]}, {p.velocity, twice[1]}, {p.count, twice[2]}};
  EXPECT_EQ(b.moved({z}), "neg exp sgd_step abs sgd_step relu");
}

TEST(EarlyUpdates, AreSumsIntoGradientsToo) {
  Steps b;
  const ValueId sum = b.capture(ones({3}));
  const ValueId g = b.call(Exp{}, {b.x}), more = b.call(Neg{}, {g}), y = b.call(Abs{}, {more});
  const ValueId once = b.call(Add{}, {sum, g}, sum);
  const ValueId twice = b.call(Add{}, {once, more}, once);
  b.g.updates.push_back({sum, twice});
  EXPECT_EQ(b.moved({y}), "exp add neg abs add");
}

TEST(EarlyUpdates, WriteNothingInPlaceBeforeItsReaders) {
  Steps b;
  const ValueId sum = b.capture(ones({3}));
  const ValueId g = b.call(Exp{}, {b.x}), read = b.call(Neg{}, {sum}), y = b.call(Abs{}, {read});
  b.g.updates.push_back({sum, b.call(Add{}, {sum, g}, sum)});
  EXPECT_EQ(b.moved({y}), "exp neg add abs");
}

TEST(EarlyUpdates, NeverCrossCallsWithEffects) {
  Steps b;
  const auto p = b.param();
  const ValueId grad = b.call(Exp{}, {b.x});
  const ValueId blocks = b.call(RandomBlocks{1, Device::cpu()}, {});
  const ValueId y = b.call(Abs{}, {b.x});
  b.step(p, grad);
  const Graph after = passes::early_updates(b.finish({blocks, y}));
  verify(after);
  EXPECT_EQ(calls(after), "exp random_blocks sgd_step abs");
}

TEST(EarlyUpdates, LeaveThePrologueAlone) {
  Steps b;
  const ValueId early = b.call(Neg{}, {b.capture(ones({3}))});
  b.g.prologue = 1;
  const ValueId y = b.call(Exp{}, {b.x});
  b.step(b.param(), early);
  EXPECT_EQ(b.moved({y}), "neg | sgd_step exp");
}

}  // namespace
}  // namespace reprise::test
