#pragma once
// The kernels of reductions: along lines, down columns, and over the states of parts. `R` says what
// is computed:
//
//   struct R {
//     using Element;                                       of the operands, which lie alike
//     using Value;                                         of one place in them: see OneOperand
//     using State;
//     bool is_aligned_to(size_t bytes) const;
//     Value load(int64_t at, int column) const;
//     void load(Value (&v)[N], int64_t at) const;          N neighbours, aligned to all of them
//     State none() const;                                  joined with s gives s
//     State join(const State&, const State&) const;
//     void take(State&, const Value& v, int64_t i) const;  i: place in the line
//     void take(State&, const Value (&v)[N], int64_t i, int64_t step) const;
//     void store(int64_t output, const State&) const;
//     struct Reader<N>;  optional: loads and takes in place of R, and knows which outputs the N
//                        columns, or a line, N = 1, belong to: (R, output, step, count of those)
//   };

#include "acc.cuh"
#include "pack.cuh"
#include "reduce_plan.h"
#include "warp.cuh"

namespace reprise::cuda {

template <class T>
struct OneOperand {
  using Element = T;
  using Value = T;
  const T* x;

  bool is_aligned_to(size_t bytes) const { return is_aligned(x, bytes); }
  __device__ T load(int64_t at, int = 0) const { return x[at]; }
  template <int N>
  __device__ void load(T (&v)[N], int64_t at) const {
    load_pack(v, x + at);
  }
};

template <int N, class R>
__device__ decltype(auto) reader(const R& r, int64_t output, int64_t step, int64_t count) {
  if constexpr (requires { typename R::template Reader<N>; })
    return typename R::template Reader<N>(r, output, step, count);
  else
    return (r);
}

/// Keeps the state of one part, or stores the result where there is one part.
template <class R>
__device__ void keep(const R& r, const ReducePlan& plan, typename R::State* states, int64_t output,
                     int64_t part, const typename R::State& state) {
  if (plan.parts == 1)
    r.store(output, state);
  else
    states[output * plan.parts + part] = state;
}

/// Whole packs of [begin, end) of a line that fall to one thread of a group. They are read dense,
/// several before they are used, or element by element to the same effect.
template <class R>
__device__ void take_packs(const R& r, const ReducePlan& plan, int64_t x, int64_t begin,
                           int64_t end, bool packs, typename R::State& state) {
  using Value = typename R::Value;
  constexpr int kWidth = line_pack(sizeof(typename R::Element));
  const int64_t step = int64_t{plan.threads} * kWidth;
  int64_t i = begin + threadIdx.x % plan.threads * kWidth;
  for (; packs && i < end; i += kLoads * step) {
    Value v[kLoads][kWidth];
    unrolled<kLoads>([&](int u) {
      if (i + u * step < end) r.load(v[u], x + plan.reduced(i + u * step).of[0]);
    });
    unrolled<kLoads>([&](int u) {
      if (i + u * step < end) r.take(state, v[u], i + u * step, 1);
    });
  }
  for (; i < end; i += step) {
    Value v[kWidth];
    for (int e = 0; e < kWidth; ++e) v[e] = r.load(x + plan.reduced(i + e).of[0]);
    r.take(state, v, i, 1);
  }
}

/// The same for lines that do not lie in packs: elements are `threads` apart, so that neighbours
/// read neighbours.
template <class R>
__device__ void take_apart(const R& r, const ReducePlan& plan, int64_t x, int64_t begin,
                           int64_t end, typename R::State& state) {
  const int64_t step = plan.threads;
  for (int64_t i = begin + threadIdx.x % plan.threads; i < end; i += kLoadsApart * step) {
    typename R::Value v[kLoadsApart] = {};
    unrolled<kLoadsApart>([&](int u) {
      if (i + u * step < end) v[u] = r.load(x + plan.reduced(i + u * step).of[0]);
    });
    if (i + (kLoadsApart - 1) * step < end) {
      r.take(state, v, i, step);
      continue;
    }
    for (int64_t k = i; k < end; k += step) {  // the last ones, which are in the cache by now
      r.take(state, r.load(x + plan.reduced(k).of[0]), k);
    }
  }
}

/// Elements [begin, end) of a line that fall to one thread of a group.
template <class R>
__device__ void reduce_line(const R& r, const ReducePlan& plan, int64_t x, int64_t begin,
                            int64_t end, bool packs, typename R::State& state) {
  if (!plan.packs) return take_apart(r, plan, x, begin, end, state);
  constexpr int kWidth = line_pack(sizeof(typename R::Element));
  const int64_t whole = begin + (end - begin) / kWidth * kWidth;
  take_packs(r, plan, x, begin, whole, packs, state);
  if (threadIdx.x % plan.threads != 0) return;
  for (int64_t i = whole; i < end; ++i) r.take(state, r.load(x + plan.reduced(i).of[0]), i);
}

template <class R>
__global__ void reduce_lines(R r, ReducePlan plan, bool packs, typename R::State* states) {
  const auto join = [&r](const auto& a, const auto& b) { return r.join(a, b); };
  const unsigned groups = blockDim.x / plan.threads;
  const int64_t task = int64_t{blockIdx.x} * groups + threadIdx.x / plan.threads;
  const int64_t line = task / plan.parts, part = task % plan.parts;
  const bool mine = line < plan.outputs;
  const auto place = plan.kept(mine ? line : 0);
  typename R::State state = r.none();
  if (mine) {
    const int64_t begin = part * plan.part, end = std::min(begin + plan.part, plan.length);
    reduce_line(reader<1>(r, place.of[1], 0, 1), plan, place.of[0], begin, end, packs, state);
  }
  state = group_reduce(state, r.none(), join, plan.threads);
  if (mine && threadIdx.x % plan.threads == 0) keep(r, plan, states, place.of[1], part, state);
}

/// Every `step`th of the rows [begin, end), of `columns` neighbouring columns from x on: kLoads
/// rows of a column are taken as a pack of a line is.
template <class R, int N>
__device__ void reduce_rows(const R& r, const ReducePlan& plan, int64_t x, int64_t begin,
                            int64_t end, int64_t step, int64_t columns, bool packs,
                            typename R::State (&states)[N]) {
  using Value = typename R::Value;
  for (int64_t i = begin; i < end; i += kLoads * step) {
    Value v[kLoads][N] = {};
    unrolled<kLoads>([&](int u) {
      if (i + u * step >= end) return;
      const int64_t row = x + plan.reduced(i + u * step).of[0];
      if (packs) return r.load(v[u], row);
      unrolled<N>([&](int e) {
        if (e < columns) v[u][e] = r.load(row + e * plan.columns.in, e);
      });
    });
    if (i + (kLoads - 1) * step < end) {
      unrolled<N>([&](int e) {
        Value column[kLoads];
        unrolled<kLoads>([&](int u) { column[u] = v[u][e]; });
        r.take(states[e], column, i, step);
      });
      continue;
    }
    unrolled<kLoads>([&](int u) {
      if (i + u * step >= end) return;
      unrolled<N>([&](int e) { r.take(states[e], v[u][e], i + u * step); });
    });
  }
}

/// What a thread keeps of its columns; a word behind keeps the rows of a warp off one bank.
template <class State, int N>
struct SharedRow {
  State of[N];
  alignas(State) char apart;
};

/// The states of threads that are `across` apart are joined, `rows` of them, into those of the
/// first.
template <class R, class State, int N>
__device__ void join_rows(const R& r, SharedRow<State, N>* states, unsigned across, unsigned rows) {
  for (unsigned half = rows / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x / across % rows >= half) continue;
    for (int e = 0; e < N; ++e) {
      State& mine = states[threadIdx.x].of[e];
      mine = r.join(mine, states[threadIdx.x + half * across].of[e]);
    }
  }
}

/// `rows` times `threads` of a block take a tile of columns: x one above the other.
template <class R>
__global__ void reduce_columns(R r, ReducePlan plan, bool packs, typename R::State* parts) {
  constexpr int kWidth = column_pack(sizeof(typename R::Element));
  const unsigned across = plan.threads, rows = plan.rows, in_tile = across * rows;
  const int64_t task = int64_t{blockIdx.x} * (blockDim.x / in_tile) + threadIdx.x / in_tile;
  const int64_t part = task % plan.parts, tile = task / plan.parts;
  const bool mine = tile < plan.outputs / plan.columns.size * plan.tiles;
  const auto place = plan.kept(mine ? tile / plan.tiles : 0);
  const int64_t first = (tile % plan.tiles * across + threadIdx.x % across) * int64_t{kWidth};
  const int64_t columns = mine ? std::min(plan.columns.size - first, int64_t{kWidth}) : 0;
  const int64_t row = threadIdx.x / across % rows;
  typename R::State states[kWidth];
  for (auto& s : states) s = r.none();
  if (columns > 0) {
    const int64_t begin = part * plan.part, end = std::min(begin + plan.part, plan.length);
    const auto& from =
        reader<kWidth>(r, place.of[1] + first * plan.columns.out, plan.columns.out, columns);
    reduce_rows(from, plan, place.of[0] + first * plan.columns.in, begin + row, end, rows, columns,
                packs, states);
  }
  __shared__ SharedRow<typename R::State, kWidth> shared[kReduceThreads];
  for (int e = 0; e < kWidth; ++e) shared[threadIdx.x].of[e] = states[e];
  join_rows(r, shared, across, rows);
  for (int e = 0; row == 0 && e < columns; ++e) {
    keep(r, plan, parts, place.of[1] + (first + e) * plan.columns.out, part,
         shared[threadIdx.x].of[e]);
  }
}

/// A group of threads joins the parts of one output.
template <class R>
__global__ void join_parts(R r, const typename R::State* states, int64_t outputs, int64_t parts,
                           int threads) {
  const auto join = [&r](const auto& a, const auto& b) { return r.join(a, b); };
  const int64_t output =
      int64_t{blockIdx.x} * (blockDim.x / threads) + threadIdx.x / static_cast<unsigned>(threads);
  typename R::State state = r.none();
  if (output < outputs) {
    for (int64_t p = threadIdx.x % threads; p < parts; p += threads) {
      state = r.join(state, states[output * parts + p]);
    }
  }
  state = group_reduce(state, r.none(), join, threads);
  if (output < outputs && threadIdx.x % threads == 0) r.store(output, state);
}

/// Reduces the dimensions `dims` of operands that lie as x says; `states`: reduction_workspace.
template <class R>
void reduce(Stream stream, const R& r, const Meta& x, const Shape& dims, void* states) {
  constexpr size_t kElement = sizeof(typename R::Element);
  const ReducePlan plan = plan_reduction(x, dims, kElement);
  const int pack = plan.down ? column_pack(kElement) : line_pack(kElement);
  const bool packs = plan.packs && r.is_aligned_to(kElement * static_cast<size_t>(pack));
  auto* parts = static_cast<typename R::State*>(states);
  launch(stream, static_cast<unsigned>(plan.blocks), kReduceThreads,
         plan.down ? reduce_columns<R> : reduce_lines<R>, r, plan, packs, parts);
  if (plan.parts == 1) return;
  const int threads = plan.parts > 128 ? kReduceThreads : kWarp;
  const int64_t groups = kReduceThreads / threads;
  launch(stream, static_cast<unsigned>((plan.outputs + groups - 1) / groups), kReduceThreads,
         join_parts<R>, r, parts, plan.outputs, plan.parts, threads);
}

}  // namespace reprise::cuda
