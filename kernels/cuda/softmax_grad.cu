// SoftmaxGrad: a group of threads reads a row of both operands once and keeps it in registers. Of
// longer rows, and of columns, one pass adds up what the gradients of a line share, and another one
// makes them.

#include "../../core/op.h"
#include "../../core/ops/softmax.h"
#include "reduce.cuh"
#include "softmax_row.cuh"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

constexpr unsigned kMostThreads = 512;
template <class T>
constexpr int kRowPacks = sizeof(T) == 2 ? 3 : 6;  // that a thread keeps of a row of each operand

/// What an element adds to the sum of its line, and its gradient.
template <class A>
struct SoftmaxGradOf {
  bool log;

  __device__ A term(A y, A gy) const { return log ? gy : gy * y; }
  __device__ A grad(A y, A gy, A sum) const {
    return log ? gy - std::exp(y) * sum : y * (gy - sum);
  }
};

template <class T, bool Dense>
__global__ void __launch_bounds__(kMostThreads)
    softmax_grad_rows(T* gx, const T* y, const T* gy, int64_t rows, int64_t n, int threads,
                      SoftmaxGradOf<Acc<T>> of) {
  using A = Acc<T>;
  constexpr int kPacks = kRowPacks<T>, kWidth = kPack<T>;
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / threads) + threadIdx.x / threads;
  const int rank = static_cast<int>(threadIdx.x) % threads;
  const RowOfThread<T, Dense> mine(rank, row < rows ? static_cast<int>(n) : 0, threads);
  A v[kPacks][kWidth], g[kPacks][kWidth], sum = 0;
  unrolled<kPacks>([&](int u) {
    mine.load(v[u], y + row * n, u, A(0));
    mine.load(g[u], gy + row * n, u, A(0));
  });
  unrolled<kPacks>(
      [&](int u) { sum += tree_sum<A, kWidth>([&](int e) { return of.term(v[u][e], g[u][e]); }); });
  sum = group_reduce(sum, A(0), Added(), threads);
  unrolled<kPacks>([&](int u) {
    unrolled<kWidth>([&](int e) { v[u][e] = of.grad(v[u][e], g[u][e], sum); });
    mine.store(gx + row * n, u, v[u], [](A value) { return value; });
  });
}

/// The sums of lines.
template <class T>
struct SoftmaxGradSums {
  using Element = T;
  struct Value {
    T y, gy;
  };
  using State = Acc<T>;
  const T *y, *gy;
  SoftmaxGradOf<State> of;
  State* lines;

  bool is_aligned_to(size_t bytes) const { return is_aligned(y, bytes) && is_aligned(gy, bytes); }
  __device__ Value load(int64_t at, int = 0) const { return {y[at], gy[at]}; }
  template <int N>
  __device__ void load(Value (&v)[N], int64_t at) const {
    T ys[N], gys[N];
    load_pack(ys, y + at);
    load_pack(gys, gy + at);
    for (int e = 0; e < N; ++e) v[e] = {ys[e], gys[e]};
  }
  __device__ State term(const Value& v) const {
    return of.term(static_cast<State>(v.y), static_cast<State>(v.gy));
  }
  __device__ State none() const { return 0; }
  __device__ State join(State a, State b) const { return a + b; }
  __device__ void take(State& s, const Value& v, int64_t) const { s += term(v); }
  template <int N>
  __device__ void take(State& s, const Value (&v)[N], int64_t, int64_t) const {
    s += tree_sum<State, N>([&](int e) { return term(v[e]); });
  }
  __device__ void store(int64_t output, State s) const { lines[output] = s; }
};

/// Packs of gx, whose lines are known: a pack lies in one line, or in neighbouring ones.
template <class T, int W>
__global__ void softmax_grad_lines(T* gx, SoftmaxGradSums<T> sums, Offsets<1> line_of,
                                   int64_t numel, bool one_line) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < numel; i += index_step() * W) {
    typename SoftmaxGradSums<T>::Value v[W];
    sums.load(v, i);
    const int64_t first = line_of(i).of[0];
    T pack[W];
    unrolled<W>([&](int e) {
      const A sum = sums.lines[first + (one_line ? 0 : e)];
      pack[e] = static_cast<T>(sums.of.grad(static_cast<A>(v[e].y), static_cast<A>(v[e].gy), sum));
    });
    store_pack(gx + i, pack);
  }
}

template <class T>
int threads_of_grad_row(const Extents& e) {
  return e.inner == 1 ? threads_of_row(e.n, kRowPacks<T> * kPack<T>, kMostThreads) : 0;
}

template <class T>
bool try_softmax_grad_rows(const Launch& l, const Extents& e, SoftmaxGradOf<Acc<T>> of) {
  const int threads = threads_of_grad_row<T>(e);
  if (threads == 0) return false;
  const T *y = l.in[0].as<T>(), *gy = l.in[1].as<T>();
  T* gx = l.out[0].as<T>();
  const bool packs = e.n % kPack<T> == 0 && fit_packs(y, gy, gx);
  const auto block = static_cast<unsigned>(threads <= kWarp ? 128 : threads);
  launch(l.stream, blocks(e.outer, static_cast<int>(block) / threads), block,
         packs ? softmax_grad_rows<T, true> : softmax_grad_rows<T, false>, gx, y, gy, e.outer, e.n,
         threads, of);
  return true;
}

template <class T>
void softmax_grad(const Launch& l, int dim, bool log) {
  using A = Acc<T>;
  const SoftmaxGradOf<A> of{log};
  const Extents e(l.in[0].meta->shape, dim);
  if (try_softmax_grad_rows<T>(l, e, of)) return;
  auto* lines = static_cast<A*>(l.workspace);
  const SoftmaxGradSums<T> sums{l.in[0].as<T>(), l.in[1].as<T>(), of, lines};
  reduce(l.stream, sums, *l.in[0].meta, {dim}, lines + e.lines());
  constexpr int kWidth = kPack<T>;
  T* gx = l.out[0].as<T>();
  const int64_t numel = e.lines() * e.n;
  const bool packs = (e.inner == 1 ? e.n : e.inner) % kWidth == 0 && fit_packs(sums.y, sums.gy, gx);
  launch(l.stream, blocks_for(numel, packs ? kWidth : 1), kThreads,
         packs ? softmax_grad_lines<T, kWidth> : softmax_grad_lines<T, 1>, gx, sums, lines_of(e),
         numel, e.inner == 1);
}

}  // namespace

size_t softmax_grad_workspace(const Meta& y, int dim) {
  const Extents e(y.shape, dim);
  if (y.numel() == 0) return 0;
  return visit_any_floating("softmax_grad", y.dtype, [&]<class T>() -> size_t {
    if (threads_of_grad_row<T>(e) != 0) return 0;
    return static_cast<size_t>(e.lines()) * sizeof(Acc<T>) +
           reduction_workspace(Meta(y.shape, y.dtype), {dim}, sizeof(Acc<T>));
  });
}

}  // namespace cuda

void SoftmaxGrad::cuda(const Launch& l) const {
  if (l.in[0].meta->numel() == 0) return;
  cuda::visit_any_floating(name, l.in[0].meta->dtype,
                           [&]<class T>() { cuda::softmax_grad<T>(l, dim, log); });
}

}  // namespace reprise
