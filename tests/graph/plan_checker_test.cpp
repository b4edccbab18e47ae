// The checker of plans must find what is wrong: good plans are broken on purpose.

#include "plan_checker.h"
#include "../../core/model.h"

#include <gtest/gtest.h>

#include "plan_graphs.h"

namespace reprise {
namespace {

using test::Built;
using test::plan_fault;

/// %0 input, %1 capture; prologue: %2; main part: %3 .. %6, and %6 + %2 as output %7.
struct Example : Built {
  ValueId x = input({64}), w = capture({64}), kept = make(64, {w});
  ValueId a = make(64, {x}, 256), b = make(64, {a}, 512), c = call(Add{}, {a, b});
  ValueId d = make(64, {c});
  ValueId y = call(Add{}, {d, kept});
  Plan plan;

  Example() {
    graph.prologue = 1;
    graph.outputs = {y, c};
    verify(graph);
    plan = make_plan(graph);
  }
  Placement& memory(ValueId id) { return plan.memory[static_cast<size_t>(id)]; }
  Slot& slot(ValueId id) { return plan.slots[static_cast<size_t>(memory(id).index)]; }
  Slot& workspace(size_t call) { return plan.slots[static_cast<size_t>(plan.workspace[call])]; }
  /// A slot of its own for `id`, at `offset`.
  void move(ValueId id, int64_t offset) {
    memory(id).home = Home::arena;
    memory(id).index = static_cast<int32_t>(plan.slots.size());
    plan.slots.push_back({256, offset, memory(id).first, memory(id).last});
    plan.arena_bytes = std::max(plan.arena_bytes, offset + 256);
  }
  void expect_fault(const std::string& part) const {
    const std::string fault = plan_fault(graph, plan);
    EXPECT_NE(fault.find(part), std::string::npos) << "got '" << fault << "'";
  }
};

TEST(PlanChecker, AcceptsTheGoodPlan) {
  const Example e;
  EXPECT_EQ(plan_fault(e.graph, e.plan), "");
  EXPECT_EQ(e.plan.of(e.a).home, Home::output);  // c takes it over, an output
}

TEST(PlanChecker, FindsAnOverwrittenValue) {
  Example e;
  e.move(e.a, 4096);
  e.move(e.b, 8192);
  e.move(e.kept, 4096);
  e.expect_fault("reads byte 0 of %2, which was overwritten");
}

TEST(PlanChecker, FindsAPartlyOverwrittenValue) {
  Example e;
  e.move(e.kept, 4096);
  e.move(e.a, 4096 + 192);
  e.expect_fault("reads byte 192 of %2");
}

TEST(PlanChecker, FindsAPrologueValueLostInTheFirstRun) {
  Example e;  // d is written after the last read of kept: the second run misses it
  e.graph.code.push_back(e.graph.make_call(Model(test::Make{{64}}), {e.c}));
  e.plan = make_plan(e.graph);
  ASSERT_EQ(plan_fault(e.graph, e.plan), "");
  e.move(e.kept, 4096);
  e.move(e.graph.code.back().out[0], 4096);
  e.expect_fault("of %2, which was overwritten");
}

TEST(PlanChecker, FindsAnOutputOverAnInputThatTheKernelReads) {
  Example e;
  e.move(e.a, 4096);
  e.move(e.b, 4096);
  e.expect_fault("call 2 (make): %4 is written over %3, which the kernel still reads");
}

TEST(PlanChecker, FindsAShiftedTakeover) {
  Example e;
  e.move(e.a, 4096);
  e.move(e.c, 4096 + 64);
  e.expect_fault("%5 is written over %3");
}

TEST(PlanChecker, FindsWorkspaceOverLiveValues) {
  Example e;
  e.workspace(2).offset = 4096;
  e.plan.arena_bytes = 8192;
  e.move(e.a, 4096 + 256);
  e.expect_fault("%3 lies in the workspace");
  Example other;
  other.workspace(2).offset = 4096;
  other.move(other.kept, 4096 + 256);
  other.expect_fault("of %2, which was overwritten");
}

TEST(PlanChecker, FindsSmallOrMissingWorkspace) {
  Example e;
  e.workspace(2).bytes = 511;
  e.expect_fault("the workspace is too small");
  e.plan.workspace[2] = -1;
  e.expect_fault("call 2 (make): has no workspace");
}

TEST(PlanChecker, FindsBadSlots) {
  Example e;
  e.slot(e.kept).offset += 32;
  e.expect_fault("is not aligned");
  Example outside;
  outside.slot(outside.kept).offset = outside.plan.arena_bytes;
  outside.expect_fault("is not in the arena");
  Example small;
  small.slot(small.kept).bytes = 255;
  small.expect_fault("%2 is larger than its slot");
}

TEST(PlanChecker, FindsMissingGaps) {
  Example e;
  e.plan.gap = 64;
  e.plan.arena_bytes += 4096;
  e.expect_fault("there is no gap between two slots");
}

TEST(PlanChecker, FindsWrongHomes) {
  Example input, output, none, copied;
  input.memory(input.x).index = 0;
  input.memory(input.d) = input.memory(input.x);
  input.expect_fault("%6 is at home elsewhere");
  output.move(output.y, 4096);
  output.expect_fault("reads byte 0 of %7, which was overwritten");
  none.memory(none.d).home = Home::none;
  none.expect_fault("%6 has no home");
  copied.plan.copied = {0, 1};
  copied.expect_fault("output 0 is copied, and has been written");
}

TEST(PlanChecker, FindsAnOutputLostBeforeTheEnd) {
  Example e;
  e.plan.copied = {1};
  e.move(e.a, 8192);
  e.move(e.c, 4096);
  ASSERT_EQ(plan_fault(e.graph, e.plan), "");
  e.move(e.d, 4096 + 128);
  e.expect_fault("call 4 (make): %6 is written over %5");
  Example later;
  later.plan.copied = {1};
  later.move(later.a, 8192);
  later.move(later.c, 4096);
  later.graph.code.push_back(later.graph.make_call(Model(test::Make{{64}}), {later.x}));
  later.plan.workspace.push_back(-1);
  later.plan.memory.emplace_back();
  later.move(later.graph.code.back().out[0], 4096 + 128);
  later.expect_fault("(the end): reads byte 128 of %5, which was overwritten");
}

TEST(PlanChecker, FindsAnOverwrittenCapture) {
  Example e;
  e.memory(e.d) = e.memory(e.w);
  e.expect_fault("%6 is at home elsewhere");
}

TEST(PlanChecker, FindsSlotsThatAreFreedTooEarly) {
  Example e;
  e.slot(e.kept).last = 2;
  e.expect_fault("of %2, which was overwritten");
}

TEST(PlanChecker, FindsWrongFigures) {
  Example e;
  e.plan.lower_bound = e.plan.arena_bytes + 1;
  e.expect_fault("the lower bound is above the arena");
}

}  // namespace
}  // namespace reprise
