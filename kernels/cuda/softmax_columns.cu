// Softmax of columns that are read once: the threads of a block keep a few of them in registers,
// and what is left of long ones in shared memory. Which threads take what follows from sizes and
// the device, not from addresses, which only decide how W neighbours are read.

#include <bit>

#include "softmax.cuh"

namespace reprise::cuda {
namespace {

constexpr int kRows = 8;   // that a thread keeps of its columns in registers
constexpr int kAhead = 4;  // of those in shared memory, that are on their way at a time
constexpr unsigned kMostThreads = 1024;

/// Columns that a thread of a block takes at once at most: registers for kRows of them, of which
/// those of a large block have fewer.
template <class T, unsigned Threads>
constexpr int kColumns = (Threads == kMostThreads ? 8 : 16) / sizeof(Acc<T>);

/// f over the threads that are `across` apart, for W values each.
template <class A, int W, class F>
__device__ void reduce_down(A (&v)[W], A (*shared)[W], unsigned across, F f) {
  __syncthreads();
  for (int e = 0; e < W; ++e) shared[threadIdx.x][e] = v[e];
  for (unsigned half = blockDim.x / 2; half >= across; half /= 2) {
    __syncthreads();
    if (threadIdx.x >= half) continue;
    A joined[W];  // all are read before any is written, so that W are moved at once
    for (int e = 0; e < W; ++e) {
      joined[e] = f(shared[threadIdx.x][e], shared[threadIdx.x + half][e]);
    }
    for (int e = 0; e < W; ++e) shared[threadIdx.x][e] = joined[e];
  }
  __syncthreads();
  for (int e = 0; e < W; ++e) v[e] = shared[threadIdx.x % across][e];
}

/// The rows of W neighbouring columns that fall to one thread: `count` from `first` on, `apart`.
template <class T, int W>
struct RowsOfThread {
  using A = Acc<T>;
  int64_t first, apart;
  int count;
  bool packs;  // are aligned

  __device__ void load(A (&v)[W], const T* x, int u) const {
    unrolled<W>([&](int e) { v[e] = lowest<A>(); });
    if (u >= count) return;
    T pack[W];
    const T* const from = x + first + u * apart;
    if (W == 1 || packs) {
      load_pack(pack, from);
    } else {
      unrolled<W>([&](int e) { pack[e] = from[e]; });
    }
    unrolled<W>([&](int e) { v[e] = static_cast<A>(pack[e]); });
  }
  __device__ void store(T* y, int u, const A (&v)[W], const A (&sum)[W], bool log) const {
    if (u >= count) return;
    T pack[W], *const to = y + first + u * apart;
    unrolled<W>([&](int e) { pack[e] = static_cast<T>(Scale<A>(sum[e], log)(v[e])); });
    if (W == 1 || packs) {
      store_pack(to, pack);
    } else {
      unrolled<W>([&](int e) { to[e] = pack[e]; });
    }
  }
};

template <class T, int W>
__device__ RowsOfThread<T, W> rows_of_thread(const Extents& e, int64_t tiles, unsigned across,
                                             bool packs) {
  const int begin = threadIdx.x / across, step = blockDim.x / across;
  const int64_t column = (blockIdx.x % tiles * across + threadIdx.x % across) * W;
  const int end = column < e.inner ? static_cast<int>(e.n) : 0;
  return {(blockIdx.x / tiles * e.n + begin) * e.inner + column, step * e.inner,
          (end - begin + step - 1) / step, packs};
}

/// Each thread keeps kRows rows in registers; those of a large block `more` in shared memory.
template <class T, int W, unsigned Threads>
__global__ void __launch_bounds__(Threads, 1)
    softmax_columns(T* y, const T* x, Extents extents, int64_t tiles, unsigned across, int more,
                    bool packs, bool log) {
  using A = Acc<T>;
  using Kept = A[W];
  __shared__ Kept joined[Threads];
  const auto mine = rows_of_thread<T, W>(extents, tiles, across, packs);
  Kept v[kRows], *const shared = dynamic_shared<Kept>() + threadIdx.x;
  A most[W], sum[W] = {};
  for (A& m : most) m = lowest<A>();
  const auto take_most = [&](const Kept& kept) {
    unrolled<W>([&](int e) { most[e] = Larger()(kept[e], most[e]); });
  };
  const auto take_power = [&](Kept& kept) {
    unrolled<W>([&](int e) { sum[e] += take_below(kept[e], most[e], log); });
  };
  if (Threads != kMostThreads) more = 0;
  unrolled<kRows>([&](int u) { mine.load(v[u], x, u); });
  unrolled<kRows>([&](int u) { take_most(v[u]); });
  for (int first = 0; first < more; first += kAhead) {
    Kept some[kAhead];
    unrolled<kAhead>([&](int u) { mine.load(some[u], x, kRows + first + u); });
    unrolled<kAhead>([&](int u) {
      if (first + u >= more) return;
      unrolled<W>([&](int e) { shared[(first + u) * Threads][e] = some[u][e]; });
      take_most(some[u]);
    });
  }
  reduce_down(most, joined, across, Larger());
  unrolled<kRows>([&](int u) { take_power(v[u]); });
  for (int u = 0; u < more; ++u) take_power(shared[u * Threads]);
  reduce_down(sum, joined, across, Added());
  unrolled<kRows>([&](int u) { mine.store(y, u, v[u], sum, log); });
  for (int u = 0; u < more; ++u) mine.store(y, kRows + u, shared[u * Threads], sum, log);
}

/// Threads of a block that keeps columns whole, how many stand side by side, and the rows that each
/// has in shared memory; no threads where columns are too long.
struct Block {
  unsigned threads = 0, across = 0;
  int64_t more = 0;
};

/// What blocks may be, best first: few threads, wide rows, no shared memory.
struct BlockKind {
  unsigned threads;
  int64_t row_bytes;  // at least: a line of the cache; what memory fetches at once; a sector
  bool shares;
};
constexpr BlockKind kKinds[] = {{kThreads, 128, false},    {kMostThreads, 128, false},
                                {kMostThreads, 64, false}, {kMostThreads, 128, true},
                                {kMostThreads, 64, true},  {kMostThreads, 32, true}};

/// Of threads with W columns each, in at most so many bytes of shared memory.
template <class T, int W>
Block block_of(const Extents& e, int64_t shared_bytes) {
  const uint64_t beside = std::bit_ceil(static_cast<uint64_t>((e.inner + W - 1) / W));
  const auto most = static_cast<unsigned>(std::min<uint64_t>(beside, kWarp));
  for (const BlockKind& kind : kKinds) {
    if (kind.threads == kMostThreads && W > kColumns<T, kMostThreads>) break;
    const auto least = static_cast<unsigned>(kind.row_bytes / int64_t{sizeof(T) * W});
    for (unsigned across = most; across >= std::min(most, least); across /= 2) {
      const int64_t more =
          std::max<int64_t>(blocks(e.n, kind.threads / across) - int64_t{kRows}, 0);
      const int64_t bytes = more * kind.threads * int64_t{sizeof(Acc<T>[W])};
      if (bytes <= (kind.shares ? shared_bytes : 0)) return {kind.threads, across, more};
    }
  }
  return {};
}

template <class T, int W>
bool try_columns(Stream stream, const Extents& e, T* y, const T* x, bool log) {
  if (e.inner == 1 || e.inner % W != 0) return false;
  constexpr auto kJoined = int64_t{sizeof(Acc<T>[kMostThreads][W])};
  const Block block = block_of<T, W>(e, most_shared_bytes() - kJoined);
  if (block.threads == 0) return false;
  const int64_t tiles = blocks(e.inner, int64_t{block.across} * W);
  const auto bytes = static_cast<size_t>(block.more) * block.threads * sizeof(Acc<T>[W]);
  auto* kernel = softmax_columns<T, W, kThreads>;
  if constexpr (W <= kColumns<T, kMostThreads>) {
    if (block.threads == kMostThreads) kernel = softmax_columns<T, W, kMostThreads>;
  }
  const bool packs = is_aligned(x, sizeof(T) * W) && is_aligned(y, sizeof(T) * W);
  launch(stream, Grid{static_cast<unsigned>(e.outer * tiles), block.threads, bytes}, kernel, y, x,
         e, tiles, block.across, static_cast<int>(block.more), packs, log);
  return true;
}

}  // namespace

template <class T>
bool columns_fit_registers(const Extents& e) {
  return block_of<T, 1>(e, 0).threads != 0;
}

template <class T>
bool try_softmax_columns(Stream stream, const Extents& e, T* y, const T* x, bool log) {
  return try_columns<T, kColumns<T, kThreads>>(stream, e, y, x, log) ||
         try_columns<T, kColumns<T, kMostThreads>>(stream, e, y, x, log) ||
         try_columns<T, 1>(stream, e, y, x, log);
}

template bool columns_fit_registers<float>(const Extents&);
template bool columns_fit_registers<double>(const Extents&);
template bool columns_fit_registers<Half>(const Extents&);
template bool columns_fit_registers<BFloat16>(const Extents&);
template bool try_softmax_columns(Stream, const Extents&, float*, const float*, bool);
template bool try_softmax_columns(Stream, const Extents&, double*, const double*, bool);
template bool try_softmax_columns(Stream, const Extents&, Half*, const Half*, bool);
template bool try_softmax_columns(Stream, const Extents&, BFloat16*, const BFloat16*, bool);

}  // namespace reprise::cuda
