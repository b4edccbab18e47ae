#include "builder.h"

#include "../../../core/ops/fused.h"

namespace reprise::test {
namespace {

std::string fused(const Graph& before, const Tensors& in) {
  const Graph after = passes::fuse_elementwise(before);
  verify(after);
  expect_same_bits(evaluate(after, in), evaluate(before, in));
  return calls(after);
}

TEST(FuseElementwise, MakesOneCallOfARun) {
  Builder b;
  const ValueId x = b.input({2, 3}), row = b.input({3});
  const ValueId a = b.call(Mul{}, {x, b.expand(row, {2, 3})});
  const ValueId c = b.call(Exp{}, {a});
  const ValueId d = b.call(Copy{float64}, {b.call(Add{}, {c, x})});
  EXPECT_EQ(fused(b.finish({d}), {ones({2, 3}), ones({3})}), "expand fused");
}

TEST(FuseElementwise, ReturnsWhatOthersRead) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId a = b.call(Exp{}, {x});
  const ValueId c = b.call(Neg{}, {a});
  const ValueId d = b.call(Relu{}, {b.call(Add{}, {a, c})});
  const Graph before = b.finish({a, b.call(Sum{{0}, false}, {d}), d});
  EXPECT_EQ(fused(before, {ones({2, 3})}), "fused sum");
  EXPECT_EQ(passes::fuse_elementwise(before).code[0].out.size(), 2U);
}

TEST(FuseElementwise, DropsARunThatNobodyReads) {
  Builder b;
  const ValueId x = b.input({2, 3});
  (void)b.call(Neg{}, {b.call(Exp{}, {x})});
  EXPECT_EQ(fused(b.finish({b.call(Sum{{0}, false}, {x})}), {ones({2, 3})}), "sum");
}

TEST(FuseElementwise, EndsARunWhereOthersRead) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId a = b.call(Neg{}, {b.call(Exp{}, {x})});
  const ValueId total = b.call(Sum{{0}, true}, {a});
  const ValueId d = b.call(Relu{}, {b.call(Sub{}, {a, b.expand(total, {2, 3})})});
  EXPECT_EQ(fused(b.finish({d}), {ones({2, 3})}), "fused sum expand fused");
}

TEST(FuseElementwise, PassesOverIndependentCalls) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId a = b.call(Exp{}, {x});
  const ValueId total = b.call(Sum{{0}, true}, {x});
  const ValueId d = b.call(Add{}, {a, b.expand(total, {2, 3})});
  EXPECT_EQ(fused(b.finish({d}), {ones({2, 3})}), "sum expand fused");
}

TEST(FuseElementwise, JoinsRuns) {
  Builder b;
  const ValueId x = b.input({2, 3}), y = b.input({2, 3});
  const ValueId a = b.call(Neg{}, {b.call(Exp{}, {x})}), c = b.call(Neg{}, {b.call(Exp{}, {y})});
  EXPECT_EQ(fused(b.finish({b.call(Mul{}, {a, c})}), {ones({2, 3}), ones({2, 3})}), "fused");
}

TEST(FuseElementwise, NeverCrossesAWrite) {
  Builder b;
  const ValueId x = b.call(Copy{float32}, {b.input({3})});
  const ValueId a = b.call(Exp{}, {x});
  const ValueId next = b.call(Neg{}, {x}, x);
  const ValueId d = b.call(Relu{}, {a});
  EXPECT_EQ(fused(b.finish({next, d}), {ones({3})}), "copy exp neg relu");
}

TEST(FuseElementwise, LeavesCallsInPlaceAndOtherShapes) {
  Builder b;
  const ValueId x = b.input({3});
  const ValueId a = b.call(Exp{}, {x});
  const ValueId next = b.call(Neg{}, {a}, a);
  const ValueId wide = b.call(Relu{}, {b.expand(next, {2, 3})});
  EXPECT_EQ(fused(b.finish({wide}), {ones({3})}), "exp neg expand relu");
}

TEST(FuseElementwise, LeavesCopiesOfOneType) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId t = b.call(Copy{float32}, {b.call(Permute{{1, 0}}, {x})});
  EXPECT_EQ(fused(b.finish({b.call(Exp{}, {t})}), {ones({2, 3})}), "permute copy exp");
}

TEST(FuseElementwise, KeepsTheLimits) {
  Builder b;
  ValueId x = b.input({3});
  for (size_t i = 0; i < 3 * kMostFusedSteps; ++i) x = b.call(Tanh{}, {x});
  EXPECT_EQ(fused(b.finish({x}), {ones({3})}), "fused fused fused");

  Builder c;
  Tensors in;
  ValueId sum = c.input({3});
  in.push_back(ones({3}));
  for (size_t i = 0; i < 2 * kMostFusedInputs; ++i) {
    sum = c.call(Add{}, {sum, c.input({3})});
    in.push_back(full({3}, static_cast<int64_t>(i)).to(float32));
  }
  EXPECT_EQ(fused(c.finish({sum}), in), "fused fused fused");

  Builder d;
  std::vector<ValueId> all{d.input({3})};
  for (size_t i = 0; i < 2 * kMostFusedResults; ++i) all.push_back(d.call(Exp{}, {all.back()}));
  d.g.outputs = all;
  EXPECT_EQ(fused(d.finish({}), {zeros({3})}), "fused fused");
}

TEST(FuseElementwise, KeepsThePrologueApart) {
  Builder b;
  const ValueId w = b.capture(ones({3})), x = b.input({3});
  const ValueId early = b.call(Neg{}, {b.call(Exp{}, {w})});
  b.g.prologue = 2;
  const ValueId y = b.call(Relu{}, {b.call(Add{}, {x, early})});
  EXPECT_EQ(fused(b.finish({y}), {ones({3})}), "fused | fused");
}

}  // namespace
}  // namespace reprise::test
