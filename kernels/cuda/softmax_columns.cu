// Softmax of columns that are read once: the threads of a block keep a few of them in registers.

#include <bit>

#include "softmax.cuh"

namespace reprise::cuda {
namespace {

constexpr int kRows = 8;              // that a thread keeps of its columns
constexpr int64_t kLineBytes = 128;   // of neighbouring columns, for a block to read at least,
constexpr int64_t kSectorBytes = 32;  // or for a large one, of
constexpr unsigned kMostThreads = 1024;

/// Columns that a thread of a block takes at once at most: registers for kRows of them, of which
/// those of a large block have fewer.
template <class T, unsigned Threads>
constexpr int kColumns = (Threads == kMostThreads ? 8 : 16) / sizeof(Acc<T>);

/// f over the threads that are `across` apart, for W values each.
template <unsigned Threads, class A, int W, class F>
__device__ void reduce_down(A (&v)[W], unsigned across, F f) {
  __shared__ A shared[Threads][W];
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
template <class T, int W, unsigned Threads>
__global__ void __launch_bounds__(Threads, 1)
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
  reduce_down<Threads>(most, across, Larger());
  unrolled<kRows * W>([&](int k) { sum[k % W] += take_below(v[k / W][k % W], most[k % W], log); });
  reduce_down<Threads>(sum, across, Added());
  unrolled<kRows>([&](int u) {
    const int64_t i = begin + u * step;
    T pack[W];
    unrolled<W>([&](int e) { pack[e] = static_cast<T>(Scale<A>(sum[e], log)(v[u][e])); });
    if (i < end) store_pack(y + at + i * inner, pack);
  });
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
    if (threads == kMostThreads && W > kColumns<T, kMostThreads>) break;
    const auto least = static_cast<unsigned>(bytes / int64_t{sizeof(T) * W});
    for (unsigned across = most; across >= std::min(most, least); across /= 2) {
      if (kRows * int64_t{threads / across} >= e.n) return {threads, across};
    }
  }
  return {};
}

template <class T, int W>
bool try_columns(Stream stream, const Extents& e, T* y, const T* x, bool log) {
  if (e.inner == 1 || e.inner % W != 0 || (W > 1 && !fit_packs(x, y))) return false;
  const Block block = block_of<T, W>(e);
  if (block.threads == 0) return false;
  const int64_t tiles = blocks(e.inner, int64_t{block.across} * W);
  auto* kernel = softmax_columns<T, W, kThreads>;
  if constexpr (W <= kColumns<T, kMostThreads>) {
    if (block.threads == kMostThreads) kernel = softmax_columns<T, W, kMostThreads>;
  }
  launch(stream, static_cast<unsigned>(e.outer * tiles), block.threads, kernel, y, x, e, tiles,
         block.across, log);
  return true;
}

}  // namespace

template <class T>
bool columns_fit_registers(const Extents& e) {
  return block_of<T, 1>(e).threads != 0;
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
