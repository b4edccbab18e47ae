#include "builder.h"

namespace reprise::test {
namespace {

Graph merged(const Graph& g) {
  Graph out = passes::common_subexpressions(g);
  verify(out);
  return out;
}

TEST(CommonSubexpressions, MergesCallsOnTheSameValues) {
  Builder b;
  const ValueId x = b.input({3});
  const ValueId twice = b.call(Add{}, {b.call(Exp{}, {x}), b.call(Exp{}, {x})});
  const ValueId again = b.call(Add{}, {b.call(Exp{}, {x}), b.call(Exp{}, {x})});
  EXPECT_EQ(calls(merged(b.finish({b.call(Mul{}, {twice, again})}))), "exp add mul");
}

TEST(CommonSubexpressions, TellsAttributesAndOperandsApart) {
  Builder b;
  const ValueId x = b.input({3, 3});
  const ValueId rows = b.call(Sum{{0}, false}, {x}), columns = b.call(Sum{{1}, false}, {x});
  const ValueId d = b.call(Sub{}, {rows, columns}), e = b.call(Sub{}, {columns, rows});
  EXPECT_EQ(calls(merged(b.finish({b.call(Mul{}, {d, e})}))), "sum sum sub sub mul");
}

TEST(CommonSubexpressions, TellsTheSignOfZero) {
  Builder b;
  const ValueId plus = b.full(0.0), minus = b.full(-0.0), same = b.full(0.0);
  const Graph g = merged(b.finish({plus, minus, same}));
  EXPECT_EQ(calls(g), "full full");
  EXPECT_EQ(g.outputs[0], g.outputs[2]);
}

TEST(CommonSubexpressions, MergesAllOutputs) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const Call a = b.g.add_call(Model(MaxDim{1, false}), {x});
  const Call c = b.g.add_call(Model(MaxDim{1, false}), {x});
  EXPECT_EQ(calls(merged(b.finish({a.out[0], c.out[1]}))), "max");
}

TEST(CommonSubexpressions, KeepsWhatIsWrittenLater) {
  Builder b;
  const ValueId x = b.input({3});
  const ValueId first = b.call(Exp{}, {x});
  const ValueId written = b.call(Neg{}, {first}, first);
  const ValueId second = b.call(Exp{}, {x}), third = b.call(Exp{}, {x});
  const Graph g = merged(b.finish({written, second, third}));
  EXPECT_EQ(calls(g), "exp neg exp");
  const Tensors in{arange(3).to(float32)};
  expect_same_bits(evaluate(g, in), evaluate(b.g, in));
}

TEST(CommonSubexpressions, KeepsMomentsApart) {
  Builder b;
  const ValueId x = b.call(Copy{float32}, {b.input({3})});
  const ValueId before = b.call(Exp{}, {x});
  const ValueId written = b.call(Neg{}, {x}, x);
  const ValueId after = b.call(Exp{}, {written});
  EXPECT_EQ(calls(merged(b.finish({before, after}))), "copy exp neg exp");
}

TEST(CommonSubexpressions, SharesViewsOfOneMoment) {
  Builder b;
  const ValueId x = b.call(Copy{float32}, {b.input({3, 2})});
  const ValueId a = b.call(Permute{{1, 0}}, {x}), c = b.call(Permute{{1, 0}}, {x});
  const ValueId written = b.call(Neg{}, {a}, c);
  const Graph g = merged(b.finish({written}));
  EXPECT_EQ(calls(g), "copy permute neg");
}

TEST(CommonSubexpressions, DrawsNumbersAsOften) {
  Builder b;
  const ValueId x = b.input({3});
  ValueIds kept;
  for (int i = 0; i < 2; ++i) {
    const ValueId blocks = b.call(RandomBlocks{3, Device::cpu()}, {});
    kept.push_back(b.call(Dropout{0.5}, {x, blocks}));
  }
  EXPECT_EQ(calls(merged(b.finish({kept[0], kept[1]}))),
            "random_blocks dropout random_blocks dropout");
}

}  // namespace
}  // namespace reprise::test
