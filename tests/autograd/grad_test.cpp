#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

TEST(Grad, GivesGradientsWithoutTouchingLeaves) {
  const Tensor x = leaf({2}), w = leaf({5});
  const Tensor y = x * x * w;
  const Tensors g = grad({y}, {w, x});
  EXPECT_EQ(values(g[0]), (Values{4}));
  EXPECT_EQ(values(g[1]), (Values{20}));
  EXPECT_FALSE(x.grad().defined());
  EXPECT_FALSE(g[0].requires_grad());
}

TEST(Grad, OfSomethingInBetween) {
  const Tensor x = leaf({2});
  const Tensor y = x * x, z = y * y;
  const Tensors g = grad({z}, {y, x, y});
  EXPECT_EQ(values(g[0]), (Values{8}));
  EXPECT_EQ(values(g[1]), (Values{32}));
  EXPECT_EQ(values(g[2]), (Values{8}));
}

TEST(Grad, OfATensorWithRespectToItself) {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  EXPECT_EQ(values(grad({y}, {y})[0]), (Values{1}));
  EXPECT_EQ(values(grad({y}, {x})[0]), (Values{4}));  // nothing was released
}

TEST(Grad, RunsOnlyWhatLeadsToTheInputs) {
  TwoAndIndex::reset();
  const Tensor x = leaf({2}), w = leaf({5});
  const Tensor way = dispatch(Model(TwoAndIndex{}), std::array{w, w})[0];
  grad({x * x + way}, {x});
  EXPECT_EQ(TwoAndIndex::vjps, 0);
}

TEST(Grad, ComputesOnlyTheGradientsAskedFor) {
  TwoAndIndex::reset();
  const Tensor x = leaf({2}), w = leaf({5});
  grad({dispatch(Model(TwoAndIndex{}), std::array{x, w})[0]}, {x});
  EXPECT_EQ(TwoAndIndex::vjps, 1);
  EXPECT_EQ(TwoAndIndex::gradients, 1);
}

TEST(Grad, WeighsOutputs) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * x;
  const Tensor weight = tensor(Values{3, 4}, {.dtype = float64});
  EXPECT_EQ(values(grad({y, x * 2}, {x}, {.grad_outputs = {weight, weight}})[0]), (Values{12, 24}));
}

TEST(Grad, OfAnyOrder) {
  const Tensor x = leaf({2});
  Tensor y = x * x * x * x;
  for (const double expected : {32., 48., 48., 24.}) {
    y = grad({y}, {x}, {.create_graph = true})[0];
    EXPECT_EQ(values(y), (Values{expected}));
  }
}

TEST(Grad, OfAnOutputThatWasSaved) {
  const Tensor x = leaf({0.5});
  const Tensor first = grad({tanh(x)}, {x}, {.create_graph = true})[0];
  const double t = std::tanh(0.5);
  EXPECT_NEAR(values(grad({first}, {x})[0])[0], -2 * t * (1 - t * t), 1e-12);
}

TEST(Grad, CanTrainOnAGradientPenalty) {
  const Tensor x = leaf({3}), w = leaf({2});
  const Tensor slope = grad({w * x * x}, {x}, {.create_graph = true})[0];  // 2 w x
  (slope * slope).backward();
  EXPECT_EQ(values(w.grad()), (Values{144}));  // 8 w x^2
  EXPECT_EQ(values(x.grad()), (Values{96}));   // 8 w^2 x
}

TEST(Grad, ReleasesUnlessToldOtherwise) {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  grad({y}, {x}, {.retain_graph = true});
  grad({y}, {x}, {.create_graph = true});
  grad({y}, {x});
  EXPECT_HAS(error_of([&] { grad({y}, {x}); }), "grad: the graph of mul was released");
}

TEST(Grad, SaysWhichInputIsWrong) {
  const Tensor x = leaf({2}), unused = leaf({1, 1});
  const Tensor y = x * x;
  const GradOptions keep{.retain_graph = true};
  EXPECT_HAS(error_of([&] { grad({y}, {x, unused}, keep); }), "input 1 of shape [2]");
  EXPECT_HAS(error_of([&] { grad({y}, {x, unused}, keep); }), "allow_unused");
  EXPECT_HAS(error_of([&] { grad({y}, {ones({1})}); }), "input 0 of shape [1] does not require");
  EXPECT_HAS(error_of([&] { grad({ones({1})}, {x}); }), "does not require grad");
  const Tensors g = grad({y}, {x, unused}, {.allow_unused = true});
  EXPECT_TRUE(g[0].defined());
  EXPECT_FALSE(g[1].defined());
}

}  // namespace
}  // namespace reprise
