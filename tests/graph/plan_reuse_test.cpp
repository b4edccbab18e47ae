// A plan for a large batch serves smaller ones.

#include <gtest/gtest.h>

#include "../../core/model.h"
#include "plan_checker.h"
#include "plan_graphs.h"

namespace reprise {
namespace {

using test::Built;
using test::plan_fault;

/// A small network of `batch` rows; an extra sum of its rows makes the batch of one a special case.
Graph network(int64_t batch, int64_t scratch = 100) {
  Built b;
  const ValueId x = b.input({batch, 16}), bias = b.capture({1, 16});
  const ValueId h = b.call(Add{}, {x, b.call(Expand{{batch, 16}}, {bias})});
  const ValueId kept = b.call(Relu{}, {h});
  const ValueId y = b.make(batch * 32, {kept}, batch * scratch);
  const ValueId part = b.call(StridedSlice{0, batch * 16, batch * 16, 1}, {y});
  const ValueId row = b.call(test::Make{{16}}, {kept});
  const ValueId rows = b.call(Expand{{batch, 16}}, {b.call(ViewAs{{1, 16}}, {row})});
  const ValueId z = b.call(Mul{}, {rows, b.call(ViewAs{{batch, 16}}, {part})});
  b.graph.outputs = {z, row};
  verify(b.graph);
  return std::move(b.graph);
}

TEST(PlanReuse, SmallerBatchesHaveTheSameOffsets) {
  const Graph large = network(32);
  const Plan plan = make_plan(large);
  for (int64_t batch : {32, 31, 7, 1}) {
    const Graph small = network(batch);
    const auto reused = reuse_plan(plan, large, small);
    ASSERT_TRUE(reused.has_value()) << batch;
    EXPECT_EQ(plan_fault(small, *reused), "") << batch;
    EXPECT_EQ(reused->arena_bytes, plan.arena_bytes);
    for (size_t s = 0; s < plan.slots.size(); ++s) {
      EXPECT_EQ(reused->slots[s].offset, plan.slots[s].offset);
      EXPECT_LE(reused->slots[s].bytes, plan.slots[s].bytes);
    }
    EXPECT_EQ(reused->naive_bytes, make_plan(small).naive_bytes);
  }
}

TEST(PlanReuse, LargerBatchesDoNotFit) {
  const Graph large = network(32);
  EXPECT_FALSE(reuse_plan(make_plan(large), large, network(33)).has_value());
}

TEST(PlanReuse, MoreWorkspaceDoesNotFit) {
  const Graph large = network(32, 0), small = network(8);
  EXPECT_FALSE(reuse_plan(make_plan(large), large, small).has_value());
  const Graph lavish = network(8, 1000), frugal = network(32, 100);
  EXPECT_FALSE(reuse_plan(make_plan(frugal), frugal, lavish).has_value());
}

TEST(PlanReuse, OtherGraphsAreRefused) {
  const Graph large = network(32);
  const Plan plan = make_plan(large);
  Graph other = network(8);
  other.outputs.pop_back();
  EXPECT_FALSE(reuse_plan(plan, large, other).has_value());
  other = network(8);
  std::swap(other.outputs[0], other.outputs[1]);
  EXPECT_FALSE(reuse_plan(plan, large, other).has_value());
  other = network(8);
  other.code.back() = other.make_call(Model(Add{}), other.code.back().in);
  EXPECT_FALSE(reuse_plan(plan, large, other).has_value());
  EXPECT_FALSE(reuse_plan(plan, large, Graph()).has_value());
}

/// What may be done in place for the large batch may be wrong for a small one.
TEST(PlanReuse, TakingOverMustStayLegal) {
  const auto graph = [](int64_t rows, int64_t part) {
    Built b;
    const ValueId x = b.make(rows, {b.input({1})});
    const ValueId slice = b.call(StridedSlice{0, 0, part, 1}, {x});
    b.make(1, {b.call(Relu{}, {slice})});
    return std::move(b.graph);
  };
  const Graph large = graph(64, 64), whole = graph(32, 32), part = graph(32, 16);
  const Plan plan = make_plan(large);
  EXPECT_TRUE(reuse_plan(plan, large, whole).has_value());
  EXPECT_FALSE(reuse_plan(plan, large, part).has_value());
}

TEST(PlanReuse, OutputsMustStayWhole) {
  const auto graph = [](int64_t rows, int64_t part) {
    Built b;
    const ValueId x = b.make(rows, {b.input({1})});
    b.graph.outputs = {b.call(StridedSlice{0, 0, part, 1}, {x})};
    return std::move(b.graph);
  };
  const Graph large = graph(64, 64), whole = graph(32, 32), part = graph(32, 16);
  const Plan plan = make_plan(large);
  EXPECT_TRUE(reuse_plan(plan, large, whole).has_value());
  EXPECT_FALSE(reuse_plan(plan, large, part).has_value());
}

}  // namespace
}  // namespace reprise
