#include <chrono>
#include <cstdlib>

#include "builder.h"

namespace reprise::test {
namespace {

/// exp(x) is computed twice, a constant beside it, and something for nobody.
Graph wasteful() {
  Builder b;
  const ValueId x = b.input({3});
  b.call(Neg{}, {x});
  const ValueId twice = b.call(Add{}, {b.call(Exp{}, {x}), b.call(Exp{}, {x})});
  const ValueId same = b.call(Mul{}, {twice, b.full(1, {3})});
  return b.finish({b.call(Add{}, {same, b.expand(b.full(2), {3})})});
}

std::string optimized(std::string_view spec) { return calls(optimize(wasteful(), spec, true)); }

TEST(Passes, RunAsNamed) {
  EXPECT_EQ(optimized("none"), "neg exp exp add full mul full expand add");
  EXPECT_EQ(optimized("dead_code"), "exp exp add full mul full expand add");
  EXPECT_EQ(optimized("-algebra,-hoist,-fuse_elementwise"), "exp add full mul full expand add");
  EXPECT_EQ(optimized("algebra,dead_code"), "exp exp add full expand add");
}

TEST(Passes, AskTheEnvironment) {
  ::setenv("REPRISE_PASSES", "none", 1);
  const std::string with_environment = optimized(""), named = optimized("dead_code");
  ::unsetenv("REPRISE_PASSES");
  EXPECT_EQ(with_environment, optimized("none"));
  EXPECT_EQ(named, optimized("dead_code"));
  EXPECT_NE(optimized(""), optimized("none"));
}

TEST(Passes, RefuseUnknownNames) {
  for (const char* spec : {"cse", "-cse", "hoist,,algebra"}) {
    expect_error([&] { optimized(spec); }, ErrorKind::Value,
                 {"passes: there is no pass named", "the passes are dead_code, algebra, "});
  }
  expect_error([] { optimized("hoist,-algebra"); }, ErrorKind::Value, {"got -algebra"});
}

TEST(Passes, AreNamedInErrors) {
  Graph g = wasteful();
  g.updates.push_back({g.inputs[0], g.outputs[0]});
  expect_error([&] { optimize(g, "hoist", true); }, ErrorKind::Graph, {"pass hoist: verify"});
}

TEST(Passes, TakeTimeInProportion) {
  const auto graph_of = [](int n) {
    Builder b;
    ValueId x = b.input({8, 8});
    for (int i = 0; i < n; ++i) {
      const ValueId part = b.call(StridedSlice{0, i % 8, 1, 1}, {x});
      const ValueId scaled = b.call(Mul{}, {b.expand(part, {8, 8}), b.full(i + 1, {8, 8})});
      x = b.call(Add{}, {x, b.call(Permute{{1, 0}}, {scaled})});
    }
    return b.finish({x});
  };
  const auto least_seconds = [](const Graph& g) {
    double least = 1e9;
    for (int i = 0; i < 3; ++i) {
      const auto start = std::chrono::steady_clock::now();
      optimize(g);
      const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
      least = std::min(least, taken.count());
    }
    return least;
  };
  // Sixteen times the calls; a quadratic pass would take 256 times as long.
  EXPECT_LT(least_seconds(graph_of(16000)), 100 * least_seconds(graph_of(1000)));
}

}  // namespace
}  // namespace reprise::test
