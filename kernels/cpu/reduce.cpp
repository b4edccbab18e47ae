// Sum. Dimensions of size 1 are dropped and neighbours merged where strides allow. Then either the
// innermost reduced dimension is read in runs, whose elements are added by vectors, or a kept one
// is contiguous and whole rows are added to a row of sums. A sum too long for one task is cut into
// parts, whose sums lie in the workspace and are added in order. All cuts follow from sizes and
// strides alone.

#include "../../core/ops/reduce.h"

#include <algorithm>

#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
#include "../dim_list.h"
#include "cursor.h"
#include "simd/isa.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 15;  // elements worth a task
constexpr int64_t kTasks = 64;          // enough of them for any machine
constexpr int64_t kTileColumns = 512;   // of a row of sums in one task
constexpr int64_t kFewColumns = 8;      // for fewer, reading each column by itself is faster

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

struct SumPlan {
  int64_t outputs = 1, length = 1;  // sums, and terms of each
  Dim run, columns;                 // innermost reduced dimension; that of rows of sums, if any
  Walk<2> kept;                     // the other dimensions
  Walk<1> reduced;
  int64_t tiles = 1, units = 1;  // of columns; tasks if no sum were cut
  int64_t parts = 1, part = 1;   // of a sum; terms of a part
};

void take_columns(SumPlan& plan, DimList& kept) {
  if (plan.run.in == 1 && plan.run.size > 1) return;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].in != 1 || kept[i].size < kFewColumns) continue;
    plan.columns = take(kept, i);
    return;
  }
}

void cut(SumPlan& plan) {
  plan.tiles = ceil_div(plan.columns.size, kTileColumns);
  plan.units = plan.outputs / plan.columns.size * plan.tiles;
  const int64_t most = std::max<int64_t>(plan.length * plan.outputs / plan.units / kTaskSize, 1);
  plan.parts = std::clamp<int64_t>(ceil_div(kTasks, plan.units), 1, std::min(most, plan.length));
  plan.part = ceil_div(plan.length, plan.parts);
  plan.parts = ceil_div(plan.length, plan.part);
}

SumPlan plan_sum(const Meta& x, const Shape& dims) {
  SumPlan plan;
  ReducedDims split(x, dims);
  auto& [kept, reduced, outputs, length] = split;
  plan.outputs = outputs;
  plan.length = length;
  if (plan.outputs == 0 || plan.length == 0) return plan;
  sort_by_stride(reduced);
  merge(kept);
  merge(reduced);
  if (!reduced.empty()) plan.run = take(reduced, 0);
  take_columns(plan, kept);
  for (size_t i = kept.size(); i-- > 0;) {
    plan.kept.sizes.push_back(kept[i].size);
    plan.kept.strides[0].push_back(kept[i].in);
    plan.kept.strides[1].push_back(kept[i].out);
  }
  for (size_t i = reduced.size(); i-- > 0;) {
    plan.reduced.sizes.push_back(reduced[i].size);
    plan.reduced.strides[0].push_back(reduced[i].in);
  }
  cut(plan);
  return plan;
}

template <class T>
const ReduceKernels<T>& kernels() {
  return pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
}

/// The sums of one part of `columns` neighbouring outputs; x is the first term of the first.
template <class T>
void sum_part(const SumPlan& plan, const T* x, int64_t part, int64_t columns, SumType<T>* sums) {
  const ReduceKernels<T>& kernel = kernels<T>();
  std::fill_n(sums, columns, SumType<T>{});
  int64_t begin = part * plan.part;
  const int64_t end = std::min(begin + plan.part, plan.length);
  int64_t at = begin % plan.run.size;
  for (Cursor<1> run(plan.reduced, begin / plan.run.size); begin < end; run.next()) {
    const int64_t n = std::min(plan.run.size - at, end - begin);
    const T* first = x + run[0] + at * plan.run.in;
    if (plan.columns.size == 1)
      sums[0] += kernel.sum(first, n, plan.run.in);
    else
      kernel.add_rows(sums, first, n, plan.run.in, columns);
    begin += n;
    at = 0;
  }
}

/// Tasks [begin, end); task i makes part i % parts of unit i / parts. Part p of output i goes to
/// y[p * outputs + i].
template <class T, class Out>
void sum_tasks(const SumPlan& plan, const T* x, Out* y, int64_t begin, int64_t end) {
  SumType<T> sums[kTileColumns];
  Cursor<2> unit(plan.kept, begin / plan.parts / plan.tiles);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t part = i % plan.parts, tile = i / plan.parts % plan.tiles;
    const int64_t first = tile * kTileColumns;
    const int64_t columns = std::min(plan.columns.size - first, kTileColumns);
    sum_part(plan, x + unit[0] + first * plan.columns.in, part, columns, sums);
    Out* out = y + part * plan.outputs + unit[1] + first * plan.columns.out;
    for (int64_t j = 0; j < columns; ++j) out[j * plan.columns.out] = static_cast<Out>(sums[j]);
    if (part + 1 == plan.parts && tile + 1 == plan.tiles) unit.next();
  }
}

template <class T, class Out>
void sum_all_tasks(const SumPlan& plan, const T* x, Out* y) {
  const int64_t tasks = plan.units * plan.parts;
  const int64_t size = ceil_div(plan.length * plan.outputs, tasks);
  parallel_for(tasks, kTaskSize / size,
               [&](int64_t begin, int64_t end) { sum_tasks(plan, x, y, begin, end); });
}

template <class T, class Out>
void sum(const SumPlan& plan, const T* x, Out* y, SumType<T>* partial) {
  if (plan.length == 0) std::fill_n(y, plan.outputs, Out{});
  if (plan.length == 0 || plan.outputs == 0) return;
  if (plan.parts == 1) return sum_all_tasks(plan, x, y);
  sum_all_tasks(plan, x, partial);
  for (int64_t i = 0; i < plan.outputs; ++i) {
    SumType<T> total{};
    for (int64_t p = 0; p < plan.parts; ++p) total += partial[p * plan.outputs + i];
    y[i] = static_cast<Out>(total);
  }
}

/// A dense x seen as [outer, length, columns], to be summed over `length`.
struct DenseSum {
  int64_t outer = 1, length = 1, columns = 1;
  bool tiny = false;
};

/// Not tiny when x is large or does not lie so, or when the dimensions are not neighbours.
DenseSum dense_sum(const Meta& x, const Shape& dims) {
  constexpr int64_t kTinySum = 1024;
  DenseSum sum;
  if (dims.empty() || dims.back() - dims[0] + 1 != dims.dim()) return sum;
  for (size_t d = x.shape.size(); d-- > 0;) {
    const int64_t i = static_cast<int64_t>(d), size = x.shape[d];
    const int64_t step = sum.columns * sum.length * sum.outer;
    if ((x.strides[d] != step && size != 1) || size > kTinySum) return sum;
    (i > dims.back() ? sum.columns : i < dims[0] ? sum.outer : sum.length) *= size;
  }
  const int64_t numel = sum.columns * sum.length * sum.outer;
  sum.tiny = numel > 0 && numel <= kTinySum && sum.columns <= kTileColumns;
  return sum;
}

/// Calls the kernels with no plan made.
template <class T, class Out>
bool try_tiny(const DenseSum& sum, const T* x, Out* y) {
  if (!sum.tiny) return false;
  const ReduceKernels<T>& kernel = kernels<T>();
  for (int64_t o = 0; o < sum.outer; ++o, x += sum.length * sum.columns, y += sum.columns) {
    if (sum.columns == 1) {
      *y = static_cast<Out>(kernel.sum(x, sum.length, 1));
      continue;
    }
    SumType<T> sums[kTileColumns];
    std::fill_n(sums, sum.columns, SumType<T>{});
    kernel.add_rows(sums, x, sum.length, sum.columns, sum.columns);
    for (int64_t j = 0; j < sum.columns; ++j) y[j] = static_cast<Out>(sums[j]);
  }
  return true;
}

}  // namespace
}  // namespace cpu

size_t Sum::workspace(std::span<const Meta> in, Device device) const {
  constexpr size_t bytes = sizeof(double);  // and of int64_t
  if (device.kind == Device::Kind::cuda) return cuda::reduction_workspace(in[0], dims, bytes);
  const cpu::SumPlan plan = cpu::plan_sum(in[0], dims);
  return plan.parts == 1 ? 0 : static_cast<size_t>(plan.parts * plan.outputs) * bytes;
}

void Sum::cpu(const Launch& l) const {
  const View &x = l.in[0], &y = l.out[0];
  const cpu::DenseSum dense = cpu::dense_sum(*x.meta, dims);
  visit_dtype(x.meta->dtype, [&]<class T>() {
    using In = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    using Out = std::conditional_t<std::is_floating_point_v<T>, T, int64_t>;
    if (cpu::try_tiny(dense, x.as<In>(), y.as<Out>())) return;
    cpu::sum(cpu::plan_sum(*x.meta, dims), x.as<In>(), y.as<Out>(),
             static_cast<cpu::SumType<In>*>(l.workspace));
  });
}

}  // namespace reprise
