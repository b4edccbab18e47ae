#include <limits>

#include "builder.h"

namespace reprise::test {
namespace {

const std::vector<float> kHard{1.5F,
                               -0.0F,
                               0.0F,
                               -2,
                               std::numeric_limits<float>::quiet_NaN(),
                               -std::numeric_limits<float>::infinity()};

/// A graph of one input [2, 3] and what algebra makes of it, checked to compute the same bits.
std::string simplified(const std::function<ValueId(Builder&, ValueId)>& build) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const Graph before = b.finish({build(b, x)});
  const Graph after = passes::algebra(before);
  verify(after);
  const Tensors in{tensor(kHard).reshape({2, 3})};
  expect_same_bits(evaluate(after, in), evaluate(before, in));
  return calls(after);
}

TEST(Algebra, MergesViews) {
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId flat = b.call(ViewAs{{6}}, {x});
              return b.call(Exp{}, {b.call(ViewAs{{3, 2}}, {flat})});
            }),
            "view exp");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId column = b.call(ViewAs{{2, 3, 1}}, {x});
              const ValueId turned = b.call(Permute{{2, 0, 1}}, {column});
              return b.call(Exp{}, {b.call(Permute{{2, 0, 1}}, {turned})});
            }),
            "view permute exp");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId row = b.call(StridedSlice{0, 1, 1, 1}, {x});
              return b.call(Exp{}, {b.expand(b.expand(row, {2, 3}), {4, 2, 3})});
            }),
            "slice expand exp");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId odd = b.call(StridedSlice{1, 1, 2, 1}, {x});
              return b.call(Exp{}, {b.call(StridedSlice{1, 1, 1, 2}, {odd})});
            }),
            "slice exp");
}

TEST(Algebra, RemovesViewsOfEverything) {
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId t = b.call(Permute{{1, 0}}, {x});
              const ValueId same = b.call(Permute{{1, 0}}, {t});
              const ValueId whole = b.call(StridedSlice{0, 0, 2, 1}, {same});
              return b.call(Exp{}, {b.expand(b.call(ViewAs{{2, 3}}, {whole}), {2, 3})});
            }),
            "exp");
}

TEST(Algebra, RemovesArithmeticThatKeepsBits) {
  const auto binary = [](auto op, double number) {
    return simplified([&](Builder& b, ValueId x) {
      return b.call(op,
                    {b.call(op, {x, b.full(number, {2, 3})}), b.expand(b.full(number), {2, 3})});
    });
  };
  EXPECT_EQ(binary(Mul{}, 1), "");
  EXPECT_EQ(binary(Div{}, 1), "");
  EXPECT_EQ(binary(Sub{}, 0), "");
  EXPECT_NE(binary(Sub{}, -0.0), "");
  EXPECT_NE(binary(Add{}, 0), "");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              return b.call(Neg{}, {b.call(Neg{}, {b.call(Mul{}, {b.full(1, {2, 3}), x})})});
            }),
            "");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              return b.call(Relu{}, {b.call(Relu{}, {b.call(Relu{}, {x})})});
            }),
            "relu");
}

TEST(Algebra, ReadsConstantsAsTheirType) {
  Builder b;
  const ValueId x = b.input({2}, int64);
  const Graph g = passes::algebra(b.finish({b.call(Mul{}, {x, b.full(1.75, {2}, int64)})}));
  EXPECT_EQ(calls(g), "");
}

TEST(Algebra, TakesTheBranchOfAConstantCondition) {
  const auto where = [](double condition) {
    return simplified([&](Builder& b, ValueId x) {
      const ValueId c = b.expand(b.full(condition, {}, bool_), {2, 3});
      return b.call(Where{}, {c, b.call(Exp{}, {x}), b.call(Neg{}, {x})});
    });
  };
  EXPECT_EQ(where(1), "exp");
  EXPECT_EQ(where(0), "neg");
}

TEST(Algebra, RemovesCopiesThatNobodyTellsApart) {
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              return b.call(Exp{}, {b.call(Cat{0}, {b.call(Copy{float32}, {x})})});
            }),
            "exp");
  EXPECT_EQ(simplified([](Builder& b, ValueId x) {
              const ValueId t = b.call(Permute{{1, 0}}, {x});
              return b.call(Copy{float64}, {b.call(Copy{float32}, {t})});
            }),
            "permute copy");
}

TEST(Algebra, KeepsCopiesOfWhatIsWritten) {
  Builder b;
  const ValueId x = b.call(Exp{}, {b.input({3})});
  const ValueId snapshot = b.call(Copy{float32}, {x});
  const ValueId next = b.call(Neg{}, {x}, x);
  EXPECT_EQ(calls(passes::algebra(b.finish({snapshot, next}))), "exp copy neg");

  Builder c;
  const ValueId y = c.call(Exp{}, {c.input({3})});
  const ValueId buffer = c.call(Copy{float32}, {y});
  const ValueId written = c.call(Neg{}, {buffer}, buffer);
  EXPECT_EQ(calls(passes::algebra(c.finish({y, written}))), "exp copy neg");
}

TEST(Algebra, WritesOverWhatWasCopiedForThatAlone) {
  Builder b;
  const ValueId x = b.call(Exp{}, {b.input({3})});
  const ValueId buffer = b.call(Copy{float32}, {x});
  const ValueId written = b.call(Neg{}, {buffer}, buffer);
  EXPECT_EQ(calls(passes::algebra(b.finish({written}))), "exp neg");

  Builder c;  // an input is the caller's
  const ValueId copy = c.call(Copy{float32}, {c.input({3})});
  EXPECT_EQ(calls(passes::algebra(c.finish({c.call(Neg{}, {copy}, copy)}))), "copy neg");
}

TEST(Algebra, LooksThroughNoWrite) {
  Builder b;
  const ValueId x = b.call(Exp{}, {b.input({3})});
  const ValueId negative = b.call(Neg{}, {x});
  const ValueId next = b.call(Exp{}, {x}, x);
  const ValueId y = b.call(Neg{}, {negative});  // not x any more
  const Graph g = passes::algebra(b.finish({next, y}));
  verify(g);
  EXPECT_EQ(calls(g), "exp neg exp neg");
}

TEST(Algebra, ComputesWhatIsAlikeOnce) {
  Builder b;
  const ValueId x = b.input({2, 3}), row = b.input({3});
  const ValueId a = b.call(Mul{}, {b.full(3, {2, 3}), b.full(5, {2, 3})});
  const ValueId c = b.call(Exp{}, {b.expand(row, {2, 3})});
  const Graph before = b.finish({b.call(Add{}, {b.call(Mul{}, {x, a}), c})});
  const Graph g = passes::algebra(before);
  verify(g);
  EXPECT_EQ(calls(g), "full full mul expand exp expand mul add");
  EXPECT_EQ(to_string(g.meta(g.code[2].out[0]).shape), "[]");
  EXPECT_EQ(to_string(g.meta(g.code[4].out[0]).shape), "[3]");
  const Tensors in{ones({2, 3}), arange(3).to(float32)};
  expect_same_bits(evaluate(g, in), evaluate(before, in));
}

TEST(Algebra, KeepsLayoutsThatAreRead) {
  Builder b;
  const ValueId x = b.full(3, {2, 3});
  EXPECT_EQ(calls(passes::algebra(b.finish({b.call(Sum{{0}, false}, {x})}))), "full sum");
  Builder c;
  EXPECT_EQ(calls(passes::algebra(c.finish({c.full(3, {2, 3})}))), "full");
}

TEST(Algebra, KeepsTheLayoutOfWhatIsWrittenInPlace) {
  Builder b;
  const ValueId x = b.call(Neg{}, {b.input({})});
  const ValueId one = b.call(StridedSlice{0, 1, 1, 1}, {b.expand(x, {2})});  // strides [0]
  const ValueId y = b.call(ViewAs{{1}}, {b.call(ViewAs{{}}, {one})});        // strides [1]
  const Graph before = b.finish({b.call(Exp{}, {y}, y)}), after = passes::algebra(before);
  verify(after);
  expect_same_bits(evaluate(after, {ones({})}), evaluate(before, {ones({})}));
}

}  // namespace
}  // namespace reprise::test
