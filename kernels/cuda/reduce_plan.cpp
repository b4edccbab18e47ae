#include "reduce_plan.h"

#include <algorithm>
#include <bit>

#include "workspaces.h"

namespace reprise::cuda {
namespace {

constexpr int64_t kWarpSize = 32;
constexpr int64_t kWantedBlocks = 2048;  // keep any device busy
constexpr int64_t kLongLine = 4096;      // worth a block
constexpr int64_t kMiddleLine = 1024;    // worth one where there are few
constexpr int64_t kFewLines = 4096;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

int power_of_two(int64_t least, int64_t most) {
  return static_cast<int>(
      std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(least, 1, most))));
}

/// a leads to an element that is closer than b's. Strides of 0 lead nowhere.
bool closer(const Dim& a, const Dim& b) {
  return a.in != 0 && (b.in == 0 || std::abs(a.in) < std::abs(b.in));
}

/// The kept dimension that is closest becomes columns, unless a reduced one is closer.
void take_columns(ReducePlan& plan, DimList& kept, const DimList& reduced) {
  if (kept.empty()) return;
  const auto best = std::min_element(kept.begin(), kept.end(), closer);
  for (const Dim& d : reduced) {
    if (!closer(*best, d)) return;
  }
  plan.columns = take(kept, static_cast<size_t>(best - kept.begin()));
  plan.down = true;
}

/// Whether `along` is dense in whole packs, wherever the other dimensions lead.
bool lies_in_packs(const Dim& along, const DimList& kept, const DimList& reduced, int64_t pack) {
  const auto leads_to_whole = [&](const Dim& d) { return d.in % pack == 0 || &d == &along; };
  return along.in == 1 && std::all_of(kept.begin(), kept.end(), leads_to_whole) &&
         std::all_of(reduced.begin(), reduced.end(), leads_to_whole);
}

void choose_packs(ReducePlan& plan, const DimList& kept, const DimList& reduced, int64_t pack) {
  if (plan.down) {
    plan.packs = plan.columns.size % pack == 0 && lies_in_packs(plan.columns, kept, reduced, pack);
  } else if (!reduced.empty()) {
    const Dim& run = reduced.front();
    const bool whole = run.size % pack == 0 || reduced.size() == 1;
    plan.packs = whole && lies_in_packs(run, kept, reduced, pack);
  }
}

void choose_threads(ReducePlan& plan, int64_t pack) {
  const bool is_long =
      plan.length >= kLongLine || (plan.length >= kMiddleLine && plan.outputs < kFewLines);
  if (plan.down) {
    const int64_t most = plan.length >= 2 * kWarpSize ? kWarpSize : kReduceThreads;
    plan.threads = power_of_two(ceil_div(plan.columns.size, pack), most);
    plan.tiles = ceil_div(plan.columns.size, plan.threads * pack);
    plan.rows = power_of_two(ceil_div(plan.length, kLoads), kReduceThreads / plan.threads);
  } else {
    const int64_t each = plan.packs ? pack * kLoads : kLoadsApart;
    plan.threads = is_long ? kReduceThreads : power_of_two(ceil_div(plan.length, each), kWarpSize);
  }
}

void cut(ReducePlan& plan, int64_t pack) {
  const int64_t least = kLoads * (plan.down ? plan.rows : plan.threads * pack);
  const int64_t tasks = plan.outputs / plan.columns.size * plan.tiles;
  const int64_t in_block = kReduceThreads / (plan.threads * plan.rows);
  const int64_t most = plan.length / least * (plan.outputs > 0);
  plan.parts = std::clamp<int64_t>(kWantedBlocks * in_block / std::max<int64_t>(tasks, 1), 1,
                                   std::max<int64_t>(most, 1));
  plan.part = ceil_div(ceil_div(plan.length, plan.parts), least) * least;
  plan.parts = std::max<int64_t>(ceil_div(plan.length, std::max<int64_t>(plan.part, 1)), 1);
  plan.blocks = ceil_div(tasks * plan.parts, in_block);
}

}  // namespace

ReducePlan plan_reduction(const Meta& x, const Shape& dims, size_t element) {
  ReducePlan plan;
  ReducedDims split(x, dims);
  auto& [kept, reduced, outputs, length] = split;
  plan.outputs = outputs;
  plan.length = length;
  if (plan.outputs == 0) return plan.blocks = 0, plan;
  if (plan.length != 0) {
    if (reduced.size() > 1) sort_by_stride(reduced);
    merge(kept);
    merge(reduced);
  }
  take_columns(plan, kept, reduced);
  const int64_t pack = plan.down ? column_pack(element) : line_pack(element);
  choose_packs(plan, kept, reduced, pack);
  choose_threads(plan, pack);
  cut(plan, pack);
  for (const Dim& d : kept) plan.kept.push(d.size, {d.in, d.out});
  for (const Dim& d : reduced) plan.reduced.push(d.size, {d.in});
  return plan;
}

size_t reduction_workspace(const Meta& x, const Shape& dims, size_t state) {
  const ReducePlan plan = plan_reduction(x, dims, size_of(x.dtype));
  return plan.parts == 1 ? 0 : static_cast<size_t>(plan.parts * plan.outputs) * state;
}

}  // namespace reprise::cuda
