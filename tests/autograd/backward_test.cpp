#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

TEST(Backward, GivesTheGradientOfAScalar) {
  const Tensor x = leaf({1, 2, 3});
  (x * x).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{2, 4, 6}));
  EXPECT_FALSE(x.grad().requires_grad());
}

TEST(Backward, WeighsAVectorByTheGivenGradient) {
  const Tensor x = leaf({1, 2, 3});
  (x * x).backward(tensor(Values{1, 10, 100}, {.dtype = float64}));
  EXPECT_EQ(values(x.grad()), (Values{2, 40, 600}));
}

TEST(Backward, TakesGradientsThatAreExpandedTransposedAndEmpty) {
  const Tensor x = ones({2, 3}, {.dtype = float64, .requires_grad = true});
  (x * 2).backward(tensor(Values{5}, {.dtype = float64}).expand({2, 3}));
  EXPECT_EQ(values(x.grad()), Values(6, 10));
  EXPECT_TRUE(x.grad().is_contiguous());
  x.set_grad({});
  (x * 2).backward(arange(6, {.dtype = float64}).reshape({3, 2}).t());
  EXPECT_EQ(values(x.grad()), (Values{0, 4, 8, 2, 6, 10}));
  const Tensor none = zeros({0, 3}, {.dtype = float64, .requires_grad = true});
  (none * 2).sum().backward();
  EXPECT_EQ(none.grad().shape(), (Shape{0, 3}));
}

TEST(Backward, AccumulatesIntoGrad) {
  const Tensor x = leaf({1, 2});
  for (int i = 0; i < 3; ++i) (x * x).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{6, 12}));
}

TEST(Backward, AddsToAGradientInPlaceForAllWhoHoldIt) {
  const Tensor x = leaf({1, 2});
  (x * x).sum().backward();
  const Tensor held = x.grad();
  (x * x).sum().backward();
  EXPECT_EQ(values(held), (Values{4, 8}));
  EXPECT_EQ(x.grad().ref(), held.ref());
}

TEST(Backward, AddsOutOfPlaceToViewsAndToWhatIsRecorded) {
  const Tensor x = leaf({1, 2}), wide = zeros({2, 2}, {.dtype = float64});
  for (const bool create_graph : {false, true}) {
    const Tensor given =
        create_graph ? zeros({2}, {.dtype = float64}) : wide.slice(1, 0, 1).reshape({2});
    x.set_grad(given);
    (x * x).sum().backward({}, {.create_graph = create_graph});
    EXPECT_EQ(values(given), (Values{0, 0}));
    EXPECT_EQ(values(x.grad()), (Values{2, 4}));
  }
}

TEST(Backward, OfAGradientOfALeafLetsAllLeavesSeeWhatItWas) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  for (const Tensor& t : {a, b}) t.set_grad(ones({2}, {.dtype = float64}));
  (a + b).backward(a.grad());
  for (const Tensor& t : {a, b}) EXPECT_EQ(values(t.grad()), (Values{2, 2}));
}

TEST(Backward, NeverAliasesTheGivenGradientOrTwoLeaves) {
  const Tensor a = leaf({1, 2}), b = leaf({3, 4});
  const Tensor g = ones({2}, {.dtype = float64});
  (a + b).backward(g);
  for (const Tensor& t : {a, b}) EXPECT_NE(t.grad().raw_data(), g.raw_data());
  EXPECT_NE(a.grad().raw_data(), b.grad().raw_data());
  a.backward(g);
  EXPECT_EQ(values(g), (Values{1, 1}));
  EXPECT_EQ(values(b.grad()), (Values{1, 1}));
}

TEST(Backward, SumsOverAllWays) {
  const Tensor x = leaf({3});
  const Tensor left = x * 2, right = x * x;
  (left * right + left + x).sum().backward();  // 2 x^3 + 3 x
  EXPECT_EQ(values(x.grad()), (Values{57}));
}

TEST(Backward, GoesThroughADiamondOfManyLevels) {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 40; ++i) y = y + y;
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{0x1p40}));
}

TEST(Backward, TakesSeveralTensors) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 3;
  backward({y, y.sum(), y}, {ones_like(y), Tensor(), ones_like(y)});
  EXPECT_EQ(values(x.grad()), (Values{9, 9}));
}

TEST(Backward, OfALeafIsTheGradientItself) {
  const Tensor x = leaf({5});
  x.backward();
  EXPECT_EQ(values(x.grad()), (Values{1}));
}

TEST(Backward, RunsASharedGraphAgainWhenRetained) {
  const Tensor x = leaf({2});
  const Tensor y = x * x;
  y.backward({}, {.retain_graph = true});
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{8}));
  EXPECT_HAS(error_of([&] { y.backward(); }), "retain_graph");
  EXPECT_EQ(values(x.grad()), (Values{8}));
}

TEST(Backward, OfAReleasedPartChangesNothing) {
  const Tensor x = leaf({2}), w = leaf({7});
  const Tensor h = x * x;
  h.sum().backward();
  EXPECT_HAS(error_of([&] { (h * w + w).backward(); }), "mul");
  EXPECT_FALSE(w.grad().defined());
}

TEST(Backward, CreatesAGraphForHigherOrders) {
  const Tensor x = leaf({2});
  (x * x * x).backward({}, {.create_graph = true});
  const Tensor first = x.grad();
  EXPECT_TRUE(first.requires_grad());
  x.set_grad({});
  first.backward();
  EXPECT_EQ(values(x.grad()), (Values{12}));
}

TEST(Backward, AddsToAGradientWithHistoryWithoutTouchingIt) {
  const Tensor x = leaf({2});
  (x * x).backward({}, {.create_graph = true});
  (x * x).backward();
  EXPECT_EQ(values(x.grad()), (Values{8}));
  EXPECT_FALSE(x.grad().requires_grad());
}

TEST(Backward, SkipsWhatNobodyNeeds) {
  TwoAndIndex::reset();
  const Tensor a = leaf({2}), b = tensor(Values{5}, {.dtype = float64});
  const Tensors out = dispatch(Model(TwoAndIndex{}), std::array{a, b});
  EXPECT_FALSE(out[2].requires_grad());
  out[1].sum().backward();
  EXPECT_EQ(TwoAndIndex::vjps, 1);
  EXPECT_EQ(TwoAndIndex::gradients, 1);
  EXPECT_FALSE(TwoAndIndex::product_used);
  EXPECT_TRUE(TwoAndIndex::sum_used);
  EXPECT_EQ(values(a.grad()), (Values{1}));
}

TEST(Backward, SkipsALeafWhoseTensorIsGone) {
  TwoAndIndex::reset();
  const Tensor a = leaf({2});
  const Tensors out = [&] {
    const Tensor gone = leaf({5});
    return dispatch(Model(TwoAndIndex{}), std::array{a, gone});
  }();
  out[0].backward();
  EXPECT_EQ(TwoAndIndex::gradients, 1);
  EXPECT_EQ(values(a.grad()), (Values{5}));
}

TEST(Backward, RefusesWhatHasNoGradient) {
  const Tensor x = leaf({1, 2}), constant = ones({1});
  EXPECT_HAS(error_of([&] { constant.backward(); }), "does not require grad");
  EXPECT_HAS(error_of([&] { (x * 2).backward(); }), "more than one element");
  EXPECT_HAS(error_of([&] { (x * 2).backward(ones({3}, {.dtype = float64})); }, ErrorKind::Shape),
             "expected a gradient of shape [2], got [3]");
  EXPECT_HAS(error_of([&] { (x * 2).backward(ones({2})); }, ErrorKind::DType), "float64");
  EXPECT_HAS(error_of([&] { backward({x, x}, {x}); }), "one per tensor");
  EXPECT_HAS(error_of([] { Tensor().backward(); }, ErrorKind::Value), "undefined");
  EXPECT_FALSE(x.grad().defined());
}

/// An op whose gradient is wrong in a way that the engine must find.
struct WrongGradient {
  int fault;
  static constexpr std::string_view name = "wrong_gradient";
  Metas infer(std::span<const Meta> in) const { return {in[0]}; }
  void cpu(const Launch& l) const { *l.out[0].as<double>() = *l.in[0].as<double>(); }
  void cuda(const Launch&) const {}
  Tensors vjp(const Vjp& v) const {
    if (fault == 0) return {};
    if (fault == 1) return {zeros({2}, {.dtype = float64})};
    if (fault == 2) return {v.gy[0].to(float32)};
    return {v.gy[0] * v.in[0]};  // which was not saved
  }
};

TEST(Backward, ChecksWhatAnOpReturns) {
  const std::array<std::string, 3> texts{"expected 1 gradients, got 0", "got float64[2]",
                                         "got float32[1]"};
  const Tensor x = leaf({2});
  for (int fault = 0; fault < 3; ++fault) {
    const Tensor y = apply(WrongGradient{fault}, x);
    EXPECT_HAS(error_of([&] { y.backward(); }), texts[static_cast<size_t>(fault)]);
  }
  const Tensor y = apply(WrongGradient{3}, x);
  EXPECT_HAS(error_of([&] { y.backward(); }, ErrorKind::Internal), "not saved");
  EXPECT_FALSE(x.grad().defined());
}

}  // namespace
}  // namespace reprise
