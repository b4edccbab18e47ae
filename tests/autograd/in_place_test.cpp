// Changes in place: what is recorded, what is refused, and that a changed saved tensor is noticed.

#include "../../core/dispatch.h"
#include "../../core/ops/update.h"
#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

TEST(InPlace, IsRecordedOnTheResultOfAnOp) {
  const Tensor x = leaf({1, 2}), w = leaf({3, 4});
  Tensor y = x * 2;
  y.add_(w);
  y.mul_(tensor(Values{10, 100}, {.dtype = float64}));
  EXPECT_EQ(values(y), (Values{50, 800}));
  y.sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{20, 200}));
  EXPECT_EQ(values(w.grad()), (Values{10, 100}));
}

TEST(InPlace, ChangesTheTensorAndNotTheHandle) {
  const Tensor x = leaf({1});
  Tensor y = x * 2;
  const Tensor same = y;
  y += x;
  same.backward();
  EXPECT_EQ(values(x.grad()), (Values{3}));
}

TEST(InPlace, OnAConstantMakesItRequireGrad) {
  const Tensor w = leaf({3});
  Tensor y = ones({1}, {.dtype = float64});
  y.sub_(w);
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(y.is_leaf());
  y.backward();
  EXPECT_EQ(values(w.grad()), (Values{-1}));
}

TEST(InPlace, OverwritingForgetsWhereTheValuesCameFrom) {
  const Tensor x = leaf({3}), w = leaf({4});
  Tensor y = x * 2;
  y.copy_(w * 5);
  y.backward();
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(values(w.grad()), (Values{5}));
  Tensor z = x * 2;
  z.zero_();
  EXPECT_FALSE(z.requires_grad());
  EXPECT_TRUE(z.is_leaf());
}

TEST(InPlace, RefusesALeafThatRequiresGrad) {
  Tensor x = leaf({1, 2});
  EXPECT_EQ(error_of([&] { x.add_(x); }),
            "add_: a leaf that requires grad cannot be changed in place; use add, or NoGradGuard");
  error_of([&] { x.zero_(); });
  error_of([&] { x.copy_(ones({2}, {.dtype = float64})); });
  EXPECT_EQ(values(x), (Values{1, 2}));
  const NoGradGuard guard;
  x.add_(x);
  EXPECT_EQ(values(x), (Values{2, 4}));
  EXPECT_TRUE(x.is_leaf());
}

TEST(InPlace, RefusesAViewWhileGradientsAreRecorded) {
  const Tensor x = leaf({1, 2}), w = leaf({5});
  Tensor y = x * 2, constant = ones({2}, {.dtype = float64});
  Tensor part = y[0], constant_part = constant.slice(0, 0, 1);
  EXPECT_HAS(error_of([&] { part.mul_(part); }), "mul_: a view cannot be changed in place");
  EXPECT_HAS(error_of([&] { constant_part.mul_(w); }), "use mul, or NoGradGuard");
  constant_part.mul_(constant_part);  // nothing to record
  const NoGradGuard guard;
  part.mul_(part);
  EXPECT_EQ(values(y), (Values{4, 4}));
}

TEST(InPlace, RefusesAViewMadeBeforeItsBaseWasChanged) {
  const Tensor x = leaf({1, 2});
  Tensor y = x * 2;
  const Tensor before = y.slice(0, 0, 1);
  y.mul_(y.detach().clone());
  EXPECT_HAS(error_of([&] { before * 2; }), "make the view again");
  EXPECT_HAS(error_of([&] { before.backward(); }), "make the view again");
  const Tensor after = y.slice(0, 0, 1);
  after.sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{4, 0}));
}

TEST(InPlace, RefusesWrittenInputsThatRequireGrad) {
  const Tensor x = leaf({1}), g = ones({1}, {.dtype = float64});
  const TensorOptions real{.dtype = float64};
  const std::array in{full({}, 0.5, real), x, g, zeros({0}, real), zeros({}, real)};
  EXPECT_HAS(error_of([&] { dispatch(Model(SgdStep{}), in); }), "sgd_step: input 1 requires grad");
  EXPECT_EQ(values(x), (Values{1}));
}

// ---- Saved tensors
// -------------------------------------------------------------------------------

TEST(SavedTensor, ChangedAfterwardsIsAnError) {
  const Tensor x = leaf({1, 2});
  Tensor w = leaf({3, 4}) * 1;
  const Tensor y = (x * w).sum();
  w.add_(w.detach().clone());
  w.add_(w.detach().clone());
  const std::string text = error_of([&] { y.backward(); });
  EXPECT_HAS(text, "mul: input 1 of shape [2]");
  EXPECT_HAS(text, "saved at version 0, now at version 2");
  EXPECT_FALSE(x.grad().defined());
}

TEST(SavedTensor, AnOutputChangedAfterwardsIsAnError) {
  const Tensor x = leaf({1, 2});
  Tensor y = exp(x);
  y.add_(x);
  EXPECT_HAS(error_of([&] { y.sum().backward(); }), "exp: output 0 of shape [2]");
  EXPECT_FALSE(x.grad().defined());
}

TEST(SavedTensor, ChangedByItsOwnOpIsAnError) {  // trap 1: the version is taken before the kernel
  const Tensor x = leaf({2}), w = leaf({3});
  Tensor y = x * 1;
  y.mul_(w);
  EXPECT_HAS(error_of([&] { y.backward(); }), "mul: input 0 of shape [1]");
}

TEST(SavedTensor, ChangedThroughAnAliasIsAnError) {
  const Tensor x = leaf({2, 3});
  const Tensor y = (x * x).sum();
  Tensor alias = x.detach();
  alias.slice(0, 0, 1).zero_();
  error_of([&] { y.backward(); });
}

TEST(SavedTensor, ThatTheGradientDoesNotNeedMayChange) {
  const Tensor x = leaf({2});
  Tensor y = x * 1;
  y.mul_(tensor(Values{5}, {.dtype = float64}));  // saves y as well, for a gradient nobody wants
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{5}));
}

TEST(SavedTensor, FaultLeavesAllGradientsAlone) {
  const Tensor x = leaf({2}), early = leaf({3});
  Tensor w = ones({1}, {.dtype = float64});
  const Tensor y = x * w;
  const Tensor z = y + early * 2;  // early's gradient is known before the fault
  w.zero_();
  error_of([&] { z.backward(); });
  EXPECT_FALSE(early.grad().defined());
  EXPECT_FALSE(x.grad().defined());
}

TEST(SavedTensor, SavesTheOutputOfAnInPlaceOp) {
  const Tensor x = leaf({-1, 2});
  Tensor y = x * 3;
  y.relu_();
  y.sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{0, 3}));
}

}  // namespace
}  // namespace reprise
