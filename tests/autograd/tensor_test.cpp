// Leaves, histories and grad mode, as Tensor shows them.

#include <thread>

#include "../../autograd/record.h"
#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

TEST(Leaf, IsWhatTheUserMade) {
  Tensor x = ones({2});
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(x.requires_grad());
  EXPECT_TRUE(x.requires_grad_().requires_grad());
  const Tensor y = x * 2;
  EXPECT_TRUE(y.requires_grad());
  EXPECT_FALSE(y.is_leaf());
  EXPECT_FALSE(x.requires_grad_(false).requires_grad());
  EXPECT_FALSE((x * 2).requires_grad());
  y.sum().backward();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Leaf, MustBeFloating) {
  for (DType t : {int64, int32, uint8, bool_}) {
    Tensor x = ones({2}, {.dtype = t});
    EXPECT_HAS(error_of([&] { x.requires_grad_(); }, ErrorKind::DType), to_string(t));
    EXPECT_FALSE(x.requires_grad_(false).requires_grad());
  }
  EXPECT_HAS(error_of([] { Tensor().requires_grad_(); }, ErrorKind::Value), "undefined");
}

TEST(Leaf, AloneCanStopRequiringGrad) {
  Tensor y = leaf({1}) * 2;
  EXPECT_HAS(error_of([&] { y.requires_grad_(false); }), "use detach for the result of mul");
  EXPECT_TRUE(y.requires_grad_().requires_grad());
}

TEST(Leaf, KeepsTheGradientItIsGiven) {
  const Tensor x = ones({2}), g = full({2}, 3.0);
  EXPECT_FALSE(x.grad().defined());
  x.set_grad(g);
  EXPECT_EQ(x.grad().raw_data(), g.raw_data());
  x.set_grad({});
  EXPECT_FALSE(x.grad().defined());
  EXPECT_HAS(error_of([&] { x.set_grad(ones({3})); }, ErrorKind::Shape), "expected shape [2]");
  EXPECT_HAS(error_of([&] { x.set_grad(ones({2}, {.dtype = float64})); }, ErrorKind::DType),
             "expected float32");
  const Tensor y = leaf({1}) * 2;
  EXPECT_HAS(error_of([&] { y.set_grad(y); }), "only a leaf");
  EXPECT_FALSE(y.grad().defined());
}

TEST(Leaf, GradientSetByTheUserIsAddedToInPlace) {
  const Tensor x = leaf({1}), g = tensor(Values{5}, {.dtype = float64});
  x.set_grad(g);
  (x * 2).backward();
  EXPECT_EQ(values(g), (Values{7}));
  EXPECT_EQ(x.grad().ref(), g.ref());
}

TEST(Leaf, SharedByThreadsSumsTheirGradients) {
  const Tensor w = leaf({1});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 100; ++i) (w * 2).backward();
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(values(w.grad()), (Values{800}));
}

TEST(Detach, SharesDataAndVersionButNoHistory) {
  const Tensor x = leaf({1, 2});
  const Tensor y = x * 2;
  Tensor d = y.detach();
  EXPECT_FALSE(d.requires_grad());
  EXPECT_TRUE(d.is_leaf());
  EXPECT_EQ(d.raw_data(), y.raw_data());
  d.requires_grad_();
  (d * y).sum().backward();
  EXPECT_EQ(values(d.grad()), (Values{2, 4}));
  EXPECT_EQ(values(x.grad()), (Values{4, 8}));
}

TEST(GradMode, IsOffInsideANoGradGuard) {
  const Tensor x = leaf({1});
  {
    const NoGradGuard off;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE((x * 2).requires_grad());
    EXPECT_FALSE(x.slice(0, 0, 1).requires_grad());
    const EnableGradGuard on;
    EXPECT_TRUE((x * 2).requires_grad());
    std::thread([] { EXPECT_TRUE(grad_enabled()); }).join();
  }
  EXPECT_TRUE(grad_enabled());
}

TEST(GradMode, IsRestoredByAnError) {
  const Tensor x = leaf({1, 2});
  error_of([&] { (x * 2).backward(); });
  EXPECT_TRUE(grad_enabled());
}

TEST(Tape, RecordsOnlyWhatCanHaveAGradient) {
  const Tensor x = leaf({1, 2});
  EXPECT_FALSE((x > 1).requires_grad());
  EXPECT_FALSE(x.to(int64).requires_grad());
  EXPECT_FALSE(argmax(x).requires_grad());
  EXPECT_FALSE((meta_tensor(x.meta()) + x).requires_grad());
  const ValuesIndices best = max(x, 0);
  EXPECT_TRUE(best.values.requires_grad());
  EXPECT_FALSE(best.indices.requires_grad());
}

TEST(Tape, ConvertsGradientsToTheTypeOfTheInput) {
  const Tensor x = ones({2}, {.requires_grad = true});
  (x.to(float64) * 3).sum().backward();
  EXPECT_EQ(x.grad().dtype(), float32);
  EXPECT_EQ(values(x.grad()), (Values{3, 3}));
}

TEST(Tape, DifferentiatesThroughViews) {
  const Tensor x = leaf({1, 2, 3, 4, 5, 6});
  const Tensor m = x.view({2, 3}).t();
  (m[1] * m[1] + m.slice(0, 0, 3, 2).sum(0)).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{1, 4, 1, 1, 10, 1}));
}

TEST(Tape, BroadcastsAndReducesBack) {
  const Tensor x = leaf({1, 2}), b = leaf({10});
  (x * b).sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{10, 10}));
  EXPECT_EQ(values(b.grad()), (Values{3}));
}

TEST(Tape, KeepsOnlyWhatBackwardNeeds) {
  const Tensor x = leaf({1, 2});
  const auto uses = [&] { return x.impl().storage->use_count(); };
  const Tensor sum = x + x;
  EXPECT_EQ(uses(), 1);
  const Tensor square = x * x;
  EXPECT_EQ(uses(), 3);
  square.sum().backward();
  EXPECT_EQ(uses(), 1);  // released, though `square` lives
}

TEST(Tape, ForgetsTheGradientWithItsTensor) {
  Ref<Storage> kept;
  {
    const Tensor x = leaf({2});
    (x * x * x).backward({}, {.create_graph = true});  // a gradient whose history owns x's leaf
    kept = x.grad().impl().storage;
  }
  EXPECT_EQ(kept->use_count(), 1);
}

TEST(Tape, OfAMillionNodesNeitherRunsNorDiesRecursively) {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 1'000'000; ++i) y = -y;
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{1}));
  y = Tensor();
  for (int i = 0; i < 1'000'000; ++i) y = i == 0 ? x + x : y.add_(x);
  EXPECT_EQ(values(y), (Values{1'000'001}));
}

}  // namespace
}  // namespace reprise
