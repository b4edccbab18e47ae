// Plans of graphs built by hand: where every memory lives and for how long.

#include <gtest/gtest.h>

#include "plan_checker.h"
#include "plan_graphs.h"

namespace reprise {
namespace {

using test::Built;
using test::Make;
using test::OverFirst;
using test::plan_fault;
using test::Step;

/// A plan that the checker has seen through.
Plan checked_plan(const Graph& graph, const PlanOptions& options = {}) {
  verify(graph);
  Plan plan = make_plan(graph, options);
  EXPECT_EQ(plan_fault(graph, plan), "");
  return plan;
}

bool same_slot(const Plan& plan, ValueId a, ValueId b) {
  return plan.of(a).home == plan.of(b).home && plan.of(a).index == plan.of(b).index;
}

TEST(Plan, EmptyGraph) {
  const Plan plan = checked_plan(Graph());
  EXPECT_EQ(plan.arena_bytes, 0);
  EXPECT_EQ(plan.lower_bound, 0);
  EXPECT_EQ(plan.naive_bytes, 0);
}

TEST(Plan, InputsAndCapturesStayWhereTheyAre) {
  Built b;
  const ValueId x = b.input({64}), w = b.capture({64});
  const ValueId y = b.call(Add{}, {x, w});
  b.graph.outputs = {y};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.of(x).home, Home::input);
  EXPECT_EQ(plan.of(w).home, Home::capture);
  EXPECT_EQ(plan.of(y).home, Home::output);
  EXPECT_TRUE(plan.copied.empty());
  EXPECT_EQ(plan.arena_bytes, 0);
}

TEST(Plan, DeadMemoryIsUsedAgain) {
  Built b;
  ValueId x = b.input({64});
  for (int i = 0; i < 10; ++i) x = b.make(64, {x});
  b.graph.outputs = {x};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.naive_bytes, 9 * 256);
  EXPECT_EQ(plan.lower_bound, 2 * 256);
  EXPECT_EQ(plan.arena_bytes, 2 * 256);
}

TEST(Plan, UnusedOutputsHaveMemoryDuringTheirCall) {
  Built b;
  const ValueIds out = b.calls(Make{{64, 64, 64}}, {b.input({1})});
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.arena_bytes, 3 * 256);
  EXPECT_EQ(plan.of(out[1]).first, 0);
  EXPECT_EQ(plan.of(out[1]).last, 0);
}

TEST(Plan, ViewsKeepTheirMemory) {
  Built b;
  const ValueId x = b.input({64});
  const ValueId y = b.make(64, {x});
  const ValueId half = b.call(StridedSlice{0, 32, 32, 1}, {y});
  const ValueId z = b.make(64, {x});
  const ValueId late = b.make(64, {half, z});
  b.call(ViewAs{{8, 8}}, {y});  // nobody reads it: needs no memory
  b.graph.outputs = {late};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.of(y).last, 3);
  EXPECT_EQ(plan.arena_bytes, 2 * 256);
}

TEST(Plan, OtherOutputsAreCopied) {
  Built b;
  const ValueId x = b.input({64}), w = b.capture({64});
  const ValueId y = b.make(64, {x}), z = b.make(64, {x});
  const ValueId view = b.call(StridedSlice{0, 0, 32, 1}, {z});
  const ValueId reshaped = b.call(ViewAs{{8, 8}}, {y});
  b.graph.outputs = {x, w, reshaped, y, view, view};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.copied, (std::vector<int32_t>{0, 1, 3, 4, 5}));
  EXPECT_EQ(plan.of(y).home, Home::output);
  EXPECT_EQ(plan.of(y).index, 2);
  EXPECT_EQ(plan.of(z).last, 4);
  EXPECT_EQ(plan.calls(), 4);
}

TEST(Plan, TransposedOutputIsCopied) {
  Built b;
  const ValueId x = b.input({8, 4});
  b.graph.outputs = {b.call(Permute{{1, 0}}, {b.call(Relu{}, {x})})};
  EXPECT_EQ(checked_plan(b.graph).copied, (std::vector<int32_t>{0}));
}

TEST(Plan, WritesInPlaceShareTheMemory) {
  Built b;
  const ValueId x = b.make(64), y = b.make(64);
  const ValueId moment = b.call(Relu{}, {x}, x);
  const ValueIds out = b.calls(Step{}, {moment, y});
  const ValueId part = b.call(StridedSlice{0, 0, 32, 1}, {out[1]});
  const ValueId written = b.call(Neg{}, {part}, part);
  const ValueId whole = b.call(After{}, {out[1], written});
  const ValueId last = b.make(64, {out[0]});
  b.graph.outputs = {last, whole};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.of(x).home, Home::output);
  EXPECT_EQ(plan.of(x).index, 1);
  EXPECT_EQ(plan.of(moment).home, Home::none);
  EXPECT_TRUE(plan.copied.empty());
}

TEST(Plan, ADyingInputIsTakenOver) {
  Built b;
  const ValueId x = b.input({64});
  const ValueId a = b.make(64, {x}), c = b.make(64, {x});
  const ValueId sum = b.call(Add{}, {a, c});  // over a
  const ValueId twice = b.call(Add{}, {sum, sum});
  const ValueId flat = b.call(ViewAs{{8, 8}}, {twice});
  const ValueId square = b.call(Mul{}, {flat, flat});
  b.make(1, {square});
  const Plan plan = checked_plan(b.graph);
  EXPECT_TRUE(same_slot(plan, a, sum));
  EXPECT_TRUE(same_slot(plan, sum, twice));
  EXPECT_TRUE(same_slot(plan, twice, square));
  EXPECT_FALSE(same_slot(plan, c, sum));
  EXPECT_EQ(plan.slot(plan.of(a).index).last, 6);
}

TEST(Plan, AChainThatEndsInAnOutputLivesThere) {
  Built b;
  const ValueId a = b.make(64, {b.input({64})});
  const ValueId y = b.call(Relu{}, {b.call(Neg{}, {a})});
  b.graph.outputs = {y};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.of(a).home, Home::output);
  EXPECT_EQ(plan.arena_bytes, 0);
  EXPECT_EQ(plan.naive_bytes, 2 * 256);
}

/// Add(x, f(x)) and the like: what would be overwritten is still needed.
TEST(Plan, NothingIsTakenOverThatIsStillNeeded) {
  Built b;
  const ValueId in = b.input({64}), w = b.capture({64});
  const ValueId x = b.make(64, {in});
  const ValueId y = b.call(Relu{}, {x});                            // x is read later
  const ValueId p = b.call(Relu{}, {in}), q = b.call(Relu{}, {w});  // not ours
  const ValueId z = b.call(Add{}, {b.call(ViewAs{{8, 8}}, {x}),     // two orders of one
                                   b.call(Permute{{1, 0}}, {b.call(ViewAs{{8, 8}}, {x})})});
  const ValueId over = b.call(OverFirst{}, {z, z});  // only the first may be
  const ValueId half = b.call(Neg{}, {b.call(StridedSlice{0, 0, 32, 1}, {y})});  // a part
  const ValueId less = b.call(Lt{}, {p, q});                                     // of other sizes
  b.make(1, {over, half, less});
  const Plan plan = checked_plan(b.graph);
  for (const auto& [from, to] :
       {std::pair(x, y), {in, p}, {w, q}, {x, z}, {z, over}, {y, half}, {p, less}}) {
    EXPECT_FALSE(same_slot(plan, from, to)) << "%" << from << " %" << to;
  }
}

TEST(Plan, AWrittenMemoryIsNotTakenOverByItsWriter) {
  Built b;
  const ValueId x = b.make(64);
  const ValueIds out = b.calls(Step{}, {x});
  b.make(1, {out[0]});
  const Plan plan = checked_plan(b.graph);
  EXPECT_FALSE(same_slot(plan, x, out[0]));
}

TEST(Plan, WorkspaceLivesForOneCall) {
  Built b;
  const ValueId x = b.make(64, {b.input({1})}, 1000);
  b.graph.outputs = {b.make(64, {x}, 10)};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.slot(plan.workspace[0]).bytes, 1000);
  EXPECT_EQ(plan.slot(plan.workspace[1]).bytes, 10);
  EXPECT_EQ(plan.lower_bound, 256 + 1024);
  EXPECT_EQ(plan.naive_bytes, 256 + 1024 + 64);
}

TEST(Plan, WhatThePrologueMakesIsKept) {
  Built b;
  const ValueId w = b.capture({64});
  const ValueId temporary = b.make(64, {w});
  const ValueId folded = b.make(64, {temporary}), constant = b.make(64, {w});
  b.graph.prologue = 3;
  ValueId y = b.call(Add{}, {folded, b.input({64})});
  for (int i = 0; i < 5; ++i) y = b.make(64, {y});
  b.graph.outputs = {y, constant};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.of(temporary).last, 1);
  EXPECT_EQ(plan.of(folded).last, plan.calls() + 1);
  EXPECT_EQ(plan.of(constant).home, Home::arena);
  EXPECT_EQ(plan.copied, (std::vector<int32_t>{1}));
  const auto freed = freed_slots(plan);
  for (const auto& slots : freed) {
    EXPECT_EQ(std::count(slots.begin(), slots.end(), plan.of(folded).index), 0);
    EXPECT_EQ(std::count(slots.begin(), slots.end(), plan.of(constant).index), 0);
  }
}

TEST(Plan, UpdatesOfInputsAndCaptures) {
  Built b;
  const ValueId x = b.input({64}), w = b.capture({64});
  const ValueId x_next = b.call(Relu{}, {x}, x);
  const ValueIds step = b.calls(Step{}, {w, x_next});
  b.graph.updates = {{x, x_next}, {w, step[1]}};
  b.graph.outputs = {step[1]};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(plan.copied, (std::vector<int32_t>{0}));
}

TEST(Plan, EmptyTensors) {
  Built b;
  const ValueId nothing = b.make(0);
  b.graph.outputs = {b.call(Relu{}, {nothing}), b.make(0, {nothing})};
  EXPECT_EQ(checked_plan(b.graph).arena_bytes, 0);
}

TEST(Plan, GapsKeepSlotsApart) {
  Built b;
  const ValueIds out = b.calls(Make{{16, 16, 16}, 64}, {});
  b.make(1, ValueIds(out));
  const Plan tight = checked_plan(b.graph), loose = checked_plan(b.graph, {.gap = 64});
  EXPECT_EQ(tight.arena_bytes, 4 * 64);
  EXPECT_EQ(loose.arena_bytes, 8 * 64);
}

TEST(Plan, FreedSlotsAreListedOnce) {
  Built b;
  const ValueId x = b.make(64, {}, 100), y = b.make(64, {x}),
                view = b.call(StridedSlice{0, 0, 8, 1}, {y});
  b.graph.outputs = {view};
  const Plan plan = checked_plan(b.graph);
  EXPECT_EQ(freed_slots(plan),
            (std::vector<std::vector<int32_t>>{
                {plan.workspace[0]}, {plan.of(x).index}, {}, {plan.of(y).index}}));
}

TEST(Plan, SizesBeyondAnyMachineAreRefused) {
  Built b;
  for (int i = 0; i < 9; ++i) b.make(int64_t{1} << 58);
  EXPECT_THROW(make_plan(b.graph), Error);
}

}  // namespace
}  // namespace reprise
