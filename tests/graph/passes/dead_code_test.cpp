#include "builder.h"

namespace reprise::test {
namespace {

TEST(DeadCode, DropsCallsWithoutReadersAndTheirSources) {
  Builder b;
  const ValueId x = b.input({3});
  const ValueId dead = b.call(Exp{}, {x});
  b.call(Neg{}, {dead});
  const ValueId y = b.call(Relu{}, {x});
  const Graph g = passes::dead_code(b.finish({y}));
  verify(g);
  EXPECT_EQ(calls(g), "relu");
  EXPECT_EQ(g.values.size(), 2U);
  EXPECT_EQ(g.outputs, std::vector<ValueId>{1});
}

TEST(DeadCode, KeepsUnusedInputsAndDropsUnreadCaptures) {
  Builder b;
  const ValueId x = b.input({3}), unused = b.input({2});
  const ValueId read = b.capture(ones({3}));
  b.call(Neg{}, {b.capture(ones({4}))});
  const Graph g = passes::dead_code(b.finish({b.call(Add{}, {x, read})}));
  verify(g);
  EXPECT_EQ(g.inputs.size(), 2U);
  EXPECT_EQ(g.meta(g.inputs[1]), b.g.meta(unused));
  ASSERT_EQ(g.captures.size(), 1U);
  EXPECT_EQ(g.captures[0].name, "c0");
}

TEST(DeadCode, KeepsTheRootOfAViewThatIsRead) {
  Builder b;
  const Tensor memory = ones({2, 3});
  const ValueId root = b.capture(memory);
  const Tensor row = memory[1];
  const ValueId view = b.g.add_view(root, row.meta(), 3);
  b.g.captures.push_back({view, row, "row"});
  const Graph g = passes::dead_code(b.finish({b.call(Neg{}, {view})}));
  verify(g);
  EXPECT_EQ(g.captures.size(), 2U);
  expect_same_bits(evaluate(g, {}), {-row});
}

TEST(DeadCode, KeepsEffects) {
  Builder b;
  const ValueId x = b.input({3});
  const ValueId blocks = b.call(RandomBlocks{3, Device::cpu()}, {});
  b.call(Dropout{0.5}, {x, blocks});
  EXPECT_EQ(calls(passes::dead_code(b.finish({x}))), "random_blocks");
}

TEST(DeadCode, FollowsWrites) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId y = b.call(Copy{float32}, {x});
  const ValueId row = b.call(StridedSlice{0, 1, 1, 1}, {y});
  const ValueId written = b.call(Neg{}, {row}, row);
  const ValueId whole = b.call(After{}, {y, written});
  b.call(Exp{}, {whole}, whole);  // nobody reads what this leaves
  const Graph g = passes::dead_code(b.finish({}));
  EXPECT_EQ(calls(g), "");
}

TEST(DeadCode, KeepsWritesThatAreRead) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId y = b.call(Copy{float32}, {x});
  const ValueId row = b.call(StridedSlice{0, 1, 1, 1}, {y});
  const ValueId written = b.call(Neg{}, {row}, row);
  const ValueId whole = b.call(After{}, {y, written});
  b.call(Exp{}, {whole});
  const Graph before = b.finish({b.call(Relu{}, {whole})});
  const Graph g = passes::dead_code(before);
  verify(g);
  EXPECT_EQ(calls(g), "copy slice neg after relu");
  const Tensors in{ones({2, 3})};
  expect_same_bits(evaluate(g, in), evaluate(before, in));
}

TEST(DeadCode, KeepsUpdates) {
  Builder b;
  const ValueId c = b.capture(ones({3}));
  const ValueId next = b.call(Neg{}, {c}, c);
  b.g.updates.push_back({c, next});
  const Graph g = passes::dead_code(b.finish({}));
  verify(g);
  EXPECT_EQ(calls(g), "neg");
  EXPECT_EQ(g.captures.size(), 1U);
}

TEST(DeadCode, IsIterativeAndLinear) {
  Builder b;
  ValueId x = b.input({1});
  for (int i = 0; i < 100000; ++i) x = b.call(Neg{}, {x});
  EXPECT_EQ(calls(passes::dead_code(std::move(b.g))), "");
}

}  // namespace
}  // namespace reprise::test
