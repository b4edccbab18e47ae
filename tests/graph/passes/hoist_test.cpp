#include "builder.h"

namespace reprise::test {
namespace {

Graph hoisted(const Graph& g) {
  Graph out = passes::hoist(g);
  verify(out);
  return out;
}

TEST(Hoist, MovesWhatDependsOnCapturesAlone) {
  Builder b;
  const ValueId x = b.input({2, 3}), w = b.capture(ones({3, 2}));
  const ValueId t = b.call(Permute{{1, 0}}, {w});
  const ValueId y = b.call(Add{}, {x, b.call(Exp{}, {t})});
  const Graph g = hoisted(b.finish({b.call(Mul{}, {y, b.expand(b.full(2), {2, 3})})}));
  EXPECT_EQ(calls(g), "permute exp full | add expand mul");
  EXPECT_EQ(calls(hoisted(g)), calls(g));
  const Tensors in{ones({2, 3})};
  expect_same_bits(evaluate(g, in), evaluate(b.g, in));
}

TEST(Hoist, LeavesViewsThatNothingHoistedReads) {
  Builder b;
  const ValueId x = b.input({2, 3}), w = b.capture(ones({3, 2}));
  const Graph g = hoisted(b.finish({b.call(Add{}, {x, b.call(Permute{{1, 0}}, {w})})}));
  EXPECT_EQ(g.prologue, 0);
}

TEST(Hoist, LeavesWhatIsWrittenOrReadsIt) {
  Builder b;
  const ValueId w = b.capture(ones({3}));
  const ValueId before = b.call(Exp{}, {w});
  const ValueId next = b.call(Neg{}, {w}, w);
  b.g.updates.push_back({w, next});
  const ValueId buffer = b.full(0, {3});
  const ValueId sum = b.call(Add{}, {buffer, before}, buffer);
  const Graph g = hoisted(b.finish({b.call(Neg{}, {sum})}));
  EXPECT_EQ(g.prologue, 0);
}

TEST(Hoist, LeavesOutputsAndRandomNumbers) {
  Builder b;
  const ValueId w = b.capture(ones({3}));
  const ValueId blocks = b.call(RandomBlocks{3, Device::cpu()}, {});
  const ValueId y = b.call(Dropout{0.5}, {w, blocks});
  EXPECT_EQ(hoisted(b.finish({b.call(Exp{}, {w}), b.call(Neg{}, {y})})).prologue, 0);
}

TEST(Hoist, LeavesLargeResultsOfLittleWork) {
  Builder b;
  const ValueId x = b.input({100, 1000}), row = b.capture(ones({1000}));
  const ValueId large = b.full(1, {100, 1000});
  const ValueId spread = b.call(Exp{}, {b.expand(row, {100, 1000})});
  const ValueId y = b.call(Add{}, {x, b.call(Mul{}, {large, spread})});
  // The product is made of operands as large as itself and takes what it needs along.
  EXPECT_EQ(calls(hoisted(b.finish({y}))), "full expand exp mul | add");
}

TEST(Hoist, LeavesLargeConstants) {
  Builder b;
  const ValueId x = b.input({100, 1000});
  EXPECT_EQ(hoisted(b.finish({b.call(Add{}, {x, b.full(1, {100, 1000})})})).prologue, 0);
}

}  // namespace
}  // namespace reprise::test
