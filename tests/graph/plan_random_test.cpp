// Plans of random graphs, all seen through by the checker; how large arenas get, how long it takes.

#include <gtest/gtest.h>

#include <chrono>

#include "plan_checker.h"
#include "plan_graphs.h"

namespace reprise {
namespace {

using test::Built;
using test::plan_fault;
using test::RandomGraph;

void plan_random_graphs(uint32_t first, uint32_t count) {
  for (uint32_t seed = first; seed < first + count; ++seed) {
    const Graph graph = RandomGraph(seed, 5 + static_cast<int>(seed * 7 % 150)).build();
    const PlanOptions options{.gap = seed % 3 == 0 ? 64 : 0};
    const Plan plan = make_plan(graph, options);
    ASSERT_EQ(plan_fault(graph, plan), "") << "seed " << seed;
    const auto again = reuse_plan(plan, graph, graph);
    ASSERT_TRUE(again.has_value()) << "seed " << seed;
    ASSERT_EQ(plan_fault(graph, *again), "") << "seed " << seed;
  }
}

TEST(PlanRandom, NoLiveValueIsOverwritten) { plan_random_graphs(0, 1000); }
TEST(LongPlanRandom, NoLiveValueIsOverwritten) { plan_random_graphs(1000, 20000); }

/// Forward with saved activations of falling sizes, then backward with temporaries, and gradients
/// of the weights that live to the end.
Graph training_step(int layers, uint32_t seed) {
  std::mt19937 random(seed);
  Built b;
  const ValueId input = b.input({1024});
  std::vector<ValueId> saved{input}, weight_grads;
  for (int i = 0; i < layers; ++i) {
    const auto size = static_cast<int64_t>(1 << 20) / (1 + i * 8 / layers);
    const ValueId y = b.make(size, {saved.back()}, random() % 3 == 0 ? 100'000 : 0);
    saved.push_back(random() % 2 == 0 ? b.call(Relu{}, {y}) : b.make(size, {y}));
  }
  ValueId gy = b.make(static_cast<int64_t>(1 << 17), {saved.back()});
  for (int i = layers; i > 0; --i) {
    const ValueId x = saved[static_cast<size_t>(i) - 1];
    const auto bytes = static_cast<int64_t>(random() % 4000);
    weight_grads.push_back(b.make(bytes, {gy, x}, random() % 3 == 0 ? 500'000 : 0));
    gy = b.make(b.graph.meta(x).numel(), {gy, x});
    if (random() % 2 == 0) gy = b.call(Mul{}, {gy, x});
  }
  b.calls(test::Make{{1}}, ValueIds(weight_grads));
  return std::move(b.graph);
}

TEST(PlanRandom, ArenasOfTrainingStepsAreCloseToTheLowerBound) {
  for (const int layers : {5, 20, 100, 300, 2000}) {
    for (uint32_t seed = 0; seed < 5; ++seed) {
      const Graph graph = training_step(layers, seed);
      const Plan plan = make_plan(graph);
      ASSERT_EQ(plan_fault(graph, plan), "");
      EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.05 * static_cast<double>(plan.lower_bound))
          << layers << " layers, seed " << seed;
    }
  }
}

double best_seconds(const Graph& graph) {
  double best = 1e9;
  for (int run = 0; run < 5; ++run) {
    const auto start = std::chrono::steady_clock::now();
    const Plan plan = make_plan(graph);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (plan.arena_bytes > 0) best = std::min(best, took.count());
  }
  return best;
}

TEST(PlanRandom, TimeGrowsLikeTheGraph) {
  const double small = best_seconds(RandomGraph(1, 1000).build());
  const double large = best_seconds(RandomGraph(1, 10'000).build());
  EXPECT_LT(large / small, 15) << large << " s against " << small << " s";
  EXPECT_LT(best_seconds(training_step(4000, 1)), 0.5);
}

}  // namespace
}  // namespace reprise
