// Softmax and LogSoftmax of x seen as [outer, n, inner]; what is not dense is first copied into the
// output. Three ways, best first: a group of threads keeps a whole row in registers (inner = 1);
// the threads of a block keep a few columns whole; else one pass finds the largest value and the
// sum of exponentials (Milakov and Gimelshein, 2018) and another one scales. NaN spreads over its
// row through the sum.

#include "../../core/ops/softmax.h"

#include <bit>
#include <cmath>

#include "../../core/ops/elementwise.h"
#include "reduce.cuh"
#include "softmax.cuh"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

constexpr int kRows = 8;              // that a thread keeps of its columns
constexpr int64_t kLineBytes = 128;   // of neighbouring columns, for a block to read at least,
constexpr int64_t kSectorBytes = 32;  // or for a large one, of
constexpr unsigned kMostThreads = 1024;

/// Columns that a thread takes at once: registers for kRows of them.
template <class T>
constexpr int kColumns = sizeof(T) == 2 ? 4 : kPack<T>;

/// f over the threads that are `across` apart, for W values each.
template <class A, int W, class F>
__device__ void reduce_down(A (&v)[W], unsigned across, F f) {
  __shared__ A shared[kMostThreads][W];
  __syncthreads();
  for (int e = 0; e < W; ++e) shared[threadIdx.x][e] = v[e];
  for (unsigned half = blockDim.x / 2; half >= across; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    for (int e = 0; e < W; ++e) {
      shared[threadIdx.x][e] = f(shared[threadIdx.x][e], shared[threadIdx.x + half][e]);
    }
  }
  __syncthreads();
  for (int e = 0; e < W; ++e) v[e] = shared[threadIdx.x % across][e];
}

/// W neighbouring columns a thread, kRows elements of each.
template <class T, int W>
__global__ void __launch_bounds__(kMostThreads)
    softmax_columns(T* y, const T* x, Extents extents, int64_t tiles, unsigned across, bool log) {
  using A = Acc<T>;
  const int64_t n = extents.n, inner = extents.inner;
  const int64_t column = (blockIdx.x % tiles * across + threadIdx.x % across) * W;
  const int64_t at = blockIdx.x / tiles * n * inner + column;
  const int64_t end = column < inner ? n : 0;
  const int64_t begin = threadIdx.x / across, step = blockDim.x / across;
  A v[kRows][W], most[W], sum[W] = {};
  for (A& m : most) m = lowest<A>();
  unrolled<kRows>([&](int u) {
    const int64_t i = begin + u * step;
    unrolled<W>([&](int e) { v[u][e] = lowest<A>(); });
    if (i >= end) return;
    T pack[W];
    load_pack(pack, x + at + i * inner);
    unrolled<W>([&](int e) { v[u][e] = static_cast<A>(pack[e]); });
  });
  unrolled<kRows * W>([&](int k) { most[k % W] = Larger()(v[k / W][k % W], most[k % W]); });
  reduce_down(most, across, Larger());
  unrolled<kRows * W>([&](int k) { sum[k % W] += take_below(v[k / W][k % W], most[k % W], log); });
  reduce_down(sum, across, Added());
  unrolled<kRows>([&](int u) {
    const int64_t i = begin + u * step;
    T pack[W];
    unrolled<W>([&](int e) { pack[e] = static_cast<T>(Scale<A>(sum[e], log)(v[u][e])); });
    if (i < end) store_pack(y + at + i * inner, pack);
  });
}

/// The largest value and the sum of exp(x - largest), of what was seen so far.
template <class A>
struct Powers {
  A most, sum;
};

template <class T>
struct PowerSums : OneOperand<T> {
  using State = Powers<Acc<T>>;
  State* lines;

  __device__ State none() const { return {lowest<Acc<T>>(), 0}; }
  /// sum * exp(most - to); nothing is below -inf, from which nothing can be taken.
  __device__ static Acc<T> moved(const State& s, Acc<T> to) {
    return s.most == to || s.sum == 0 ? s.sum : s.sum * std::exp(s.most - to);
  }
  __device__ State join(const State& a, const State& b) const {
    const Acc<T> most = Larger()(a.most, b.most);
    return {most, moved(a, most) + moved(b, most)};
  }
  __device__ void take(State& s, T v, int64_t i) const {
    const T pack[] = {v};
    take(s, pack, i, 1);
  }
  template <int N>
  __device__ void take(State& s, const T (&v)[N], int64_t, int64_t) const {
    State pack = none();
    unrolled<N>([&](int e) { pack.most = Larger()(static_cast<Acc<T>>(v[e]), pack.most); });
    pack.sum = tree_sum<Acc<T>, N>([&](int e) {
      const auto value = static_cast<Acc<T>>(v[e]);
      return value == lowest<Acc<T>>() ? Acc<T>(0) : std::exp(value - pack.most);
    });
    s = join(s, pack);
  }
  __device__ void store(int64_t output, const State& s) const { lines[output] = s; }
};

/// Packs of y, whose lines are known: a pack lies in one line, or in neighbouring ones.
template <class T, int W>
__global__ void scale_lines(T* y, const T* x, const Powers<Acc<T>>* lines, Offsets<1> line_of,
                            int64_t numel, bool one_line, bool log) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < numel; i += index_step() * W) {
    T v[W];
    load_pack(v, x + i);
    const int64_t first = line_of(i).of[0];
    unrolled<W>([&](int e) {
      const Powers<A> line = lines[first + (one_line ? 0 : e)];
      const A below = static_cast<A>(v[e]) - line.most;
      v[e] = static_cast<T>(Scale<A>(line.sum, log)(log ? below : std::exp(below)));
    });
    store_pack(y + i, v);
  }
}

/// Threads of a block that keeps columns whole, and how many stand side by side; none where columns
/// are too long.
struct Block {
  unsigned threads = 0, across = 0;
};

/// Of threads with W columns each: few and wide ones, best first.
template <class T, int W>
Block block_of(const Extents& e) {
  const uint64_t beside = std::bit_ceil(static_cast<uint64_t>((e.inner + W - 1) / W));
  const auto most = static_cast<unsigned>(std::min<uint64_t>(beside, kWarp));
  for (const auto& [threads, bytes] :
       {std::pair(kThreads, kLineBytes), std::pair(kMostThreads, kLineBytes),
        std::pair(kMostThreads, kSectorBytes)}) {
    const auto least = static_cast<unsigned>(bytes / int64_t{sizeof(T) * W});
    for (unsigned across = most; across >= std::min(most, least); across /= 2) {
      if (kRows * int64_t{threads / across} >= e.n) return {threads, across};
    }
  }
  return {};
}

/// Whatever the operands' alignment. Longer rows may fit into shared memory besides; not every
/// device has enough of it.
template <class T>
bool fits_registers(const Extents& e) {
  if (e.inner == 1) return row_fits_registers<T>(e.n);
  return block_of<T, 1>(e).threads != 0;
}

template <class T, int W>
bool try_columns(Stream stream, const Extents& e, T* y, const T* x, bool log) {
  if (e.inner == 1 || e.inner % W != 0 || (W > 1 && !fit_packs(x, y))) return false;
  const Block block = block_of<T, W>(e);
  if (block.threads == 0) return false;
  const int64_t tiles = blocks(e.inner, int64_t{block.across} * W);
  launch(stream, static_cast<unsigned>(e.outer * tiles), block.threads, softmax_columns<T, W>, y, x,
         e, tiles, block.across, log);
  return true;
}

/// Two passes over x, dense in `dense`; the lines' states come first in the workspace.
template <class T>
void reduce_and_scale(const Launch& l, const View& dense, int dim, bool log) {
  using State = typename PowerSums<T>::State;
  const Extents e(dense.meta->shape, dim);
  auto* lines = static_cast<State*>(l.workspace);
  const PowerSums<T> sums{{dense.as<T>()}, lines};
  reduce(l.stream, sums, *dense.meta, {dim}, lines + e.lines());
  constexpr int kWidth = kPack<T>;
  T* y = l.out[0].as<T>();
  const int64_t numel = e.lines() * e.n;
  Offsets<1> line_of;
  line_of.push(e.inner, {1});
  line_of.push(e.n, {0});
  line_of.push(e.outer, {e.inner});
  const bool packs =
      (e.inner == 1 ? e.n : e.inner) % kWidth == 0 && fit_packs(dense.data, l.out[0].data);
  launch(l.stream, blocks_for(numel, packs ? kWidth : 1), kThreads,
         packs ? scale_lines<T, kWidth> : scale_lines<T, 1>, y, dense.as<T>(), lines, line_of,
         numel, e.inner == 1, log);
}

template <class T>
void softmax(const Launch& l, int dim, bool log) {
  const View &x = l.in[0], &y = l.out[0];
  const bool ready = x.meta->is_contiguous();
  if (!ready) Copy{x.meta->dtype}.cuda(l);
  const View dense{ready ? x.data : y.data, y.meta};
  const Extents e(y.meta->shape, dim);
  if (try_softmax_rows(l.stream, e, y.as<T>(), dense.as<T>(), log)) return;
  if (try_columns<T, kColumns<T>>(l.stream, e, y.as<T>(), dense.as<T>(), log)) return;
  if (try_columns<T, 1>(l.stream, e, y.as<T>(), dense.as<T>(), log)) return;
  reduce_and_scale<T>(l, dense, dim, log);
}

void softmax(const Launch& l, std::string_view name, int dim, bool log) {
  if (l.in[0].meta->numel() == 0) return;
  visit_any_floating(name, l.in[0].meta->dtype, [&]<class T>() { softmax<T>(l, dim, log); });
}

}  // namespace

size_t softmax_workspace(const Meta& x, int dim) {
  const Extents e(x.shape, dim);
  if (x.numel() == 0) return 0;
  return visit_any_floating("softmax", x.dtype, [&]<class T>() -> size_t {
    if (fits_registers<T>(e)) return 0;
    const size_t state = sizeof(typename PowerSums<T>::State);
    return static_cast<size_t>(e.lines()) * state +
           reduction_workspace(Meta(x.shape, x.dtype), {dim}, state);
  });
}

}  // namespace cuda

void Softmax::cuda(const Launch& l) const { cuda::softmax(l, name, dim, false); }
void LogSoftmax::cuda(const Launch& l) const { cuda::softmax(l, name, dim, true); }

}  // namespace reprise
