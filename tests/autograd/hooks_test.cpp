#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

TEST(Hook, SeesTheWholeGradientOnce) {
  const Tensor x = leaf({3});
  const Tensor y = x * 2;
  std::vector<Values> seen;
  for (const Tensor& t : {x, y}) {
    t.register_hook([&](const Tensor& g) {
      seen.push_back(values(g));
      return Tensor();
    });
  }
  (y * y + y).backward();
  EXPECT_EQ(seen, (std::vector<Values>{{13}, {26}}));
  EXPECT_EQ(values(x.grad()), (Values{26}));
}

TEST(Hook, ReplacesTheGradientInOrder) {
  const Tensor x = leaf({3});
  const Tensor y = x * 2;
  y.register_hook([](const Tensor& g) { return g + 1; });
  y.register_hook([](const Tensor& g) { return g * 10; });
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{40}));
}

TEST(Hook, ActsOnWhatGradReturns) {
  const Tensor x = leaf({3});
  const Tensor y = x * 2;
  y.register_hook([](const Tensor& g) { return g * 10; });
  x.register_hook([](const Tensor& g) { return g + 1; });
  const Tensors g = grad({y}, {x, y});
  EXPECT_EQ(values(g[0]), (Values{21}));
  EXPECT_EQ(values(g[1]), (Values{10}));
}

TEST(Hook, BelongsToOneOutput) {
  const Tensor a = leaf({2}), b = leaf({3});
  const Tensors out = dispatch(Model(TwoAndIndex{}), std::array{a, b});
  int product = 0, sum = 0;
  out[0].register_hook([&](const Tensor&) { return ++product, Tensor(); });
  out[1].register_hook([&](const Tensor&) { return ++sum, Tensor(); });
  out[1].backward();
  EXPECT_EQ(product, 0);
  EXPECT_EQ(sum, 1);
}

TEST(Hook, MayRunBackwardItself) {
  const Tensor x = leaf({3}), w = leaf({5});
  const Tensor y = x * 2;
  y.register_hook([&](const Tensor&) {
    const EnableGradGuard guard;
    (w * w).backward();
    return Tensor();
  });
  y.backward();
  EXPECT_EQ(values(w.grad()), (Values{10}));
  EXPECT_EQ(values(x.grad()), (Values{2}));
}

TEST(Hook, MustKeepShapeAndType) {
  const Tensor x = leaf({3, 4});
  x.register_hook([](const Tensor& g) { return g.sum(); });
  EXPECT_HAS(error_of([&] { (x * 2).sum().backward(); }),
             "hook: expected a gradient of float64[2]");
  EXPECT_FALSE(x.grad().defined());
}

TEST(Hook, MayThrow) {
  const Tensor x = leaf({3});
  x.register_hook([](const Tensor&) -> Tensor { fail(ErrorKind::Value, "from the hook"); });
  EXPECT_HAS(error_of([&] { (x * 2).backward(); }, ErrorKind::Value), "from the hook");
  EXPECT_TRUE(grad_enabled());
}

TEST(Hook, NeedsAGradientToCome) {
  EXPECT_HAS(error_of([] { ones({1}).register_hook({}); }), "register_hook");
}

}  // namespace
}  // namespace reprise
