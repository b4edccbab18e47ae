// Softmax of rows that are read once: a group of threads keeps a row in registers, a block keeps
// what is left of a long one in shared memory.

#include "on_device.h"
#include "softmax_row.cuh"

namespace reprise::cuda {
namespace {

constexpr int kRowPacks = 4;  // that a thread keeps of a row
template <class T>
constexpr int kLongRowPacks = sizeof(T) == 2 ? 3 : 6;  // of a long one: 24 registers
constexpr int kMostThreads = 1024;

/// Threads of a block in which each keeps so many packs.
constexpr int most_threads(int packs) { return packs == kRowPacks ? kThreads : kMostThreads; }

/// Each thread keeps `Packs` packs in registers and `more` in shared memory.
template <class T, int Packs, bool Dense>
__global__ void __launch_bounds__(most_threads(Packs))
    softmax_rows(T* y, const T* x, int64_t rows, int64_t n, int threads, int more, bool log) {
  using A = Acc<T>;
  constexpr int kWidth = kPack<T>;
  using Kept = A[kWidth];
  const int64_t row = int64_t{blockIdx.x} * (blockDim.x / threads) + threadIdx.x / threads;
  const int rank = static_cast<int>(threadIdx.x) % threads;
  const RowOfThread<T, Dense> mine(rank, row < rows ? static_cast<int>(n) : 0, threads);
  Kept v[Packs], *const shared = dynamic_shared<Kept>() + rank;
  A most = lowest<A>(), sum = 0;
  unrolled<Packs>([&](int u) { mine.load(v[u], x + row * n, u, lowest<A>()); });
  for (int u = 0; u < more; ++u) {
    Kept& kept = shared[u * threads];
    mine.load(kept, x + row * n, Packs + u, lowest<A>());
    unrolled<kWidth>([&](int e) { most = Larger()(kept[e], most); });
  }
  unrolled<Packs * kWidth>([&](int k) { most = Larger()(v[k / kWidth][k % kWidth], most); });
  most = group_reduce(most, lowest<A>(), Larger(), threads);
  const auto power_sum = [&](Kept& kept) {
    sum += tree_sum<A, kWidth>([&](int e) { return take_below(kept[e], most, log); });
  };
  unrolled<Packs>([&](int u) { power_sum(v[u]); });
  for (int u = 0; u < more; ++u) power_sum(shared[u * threads]);
  const Scale<A> scale(group_reduce(sum, A(0), Added(), threads), log);
  unrolled<Packs>([&](int u) { mine.store(y + row * n, u, v[u], scale); });
  for (int u = 0; u < more; ++u) mine.store(y + row * n, Packs + u, shared[u * threads], scale);
}

}  // namespace

template <class T>
bool row_fits_registers(int64_t n) {
  return threads_of_row(n, kLongRowPacks<T> * kPack<T>, kMostThreads) != 0;
}
template bool row_fits_registers<float>(int64_t n);
template bool row_fits_registers<double>(int64_t n);
template bool row_fits_registers<Half>(int64_t n);
template bool row_fits_registers<BFloat16>(int64_t n);

int64_t most_shared_bytes() {
  int bytes = 0;
  REPRISE_CUDA_CHECK(
      cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, current_device()));
  return bytes;
}

template <class T>
bool try_softmax_rows(Stream stream, const Extents& e, T* y, const T* x, bool log) {
  if (e.inner != 1) return false;
  constexpr int kWidth = kPack<T>;
  const bool packs = e.n % kWidth == 0 && fit_packs(x, y);
  const auto keep = [&]<int Packs>(int threads, int64_t more) {
    const auto block = static_cast<unsigned>(threads <= kWarp ? 128 : threads);
    const auto bytes = static_cast<size_t>(more * threads) * sizeof(Acc<T>[kWidth]);
    launch(stream, Grid{blocks(e.outer, static_cast<int>(block) / threads), block, bytes},
           packs ? softmax_rows<T, Packs, true> : softmax_rows<T, Packs, false>, y, x, e.outer, e.n,
           threads, static_cast<int>(more), log);
    return true;
  };
  const int few = threads_of_row(e.n, kRowPacks * kWidth, kThreads);
  if (few != 0) return keep.template operator()<kRowPacks>(few, 0);
  const int many = threads_of_row(e.n, kLongRowPacks<T> * kWidth, kMostThreads);
  if (many != 0) return keep.template operator()<kLongRowPacks<T>>(many, 0);
  const int64_t more = blocks(e.n, kMostThreads * kWidth) - int64_t{kLongRowPacks<T>};
  constexpr int64_t kReduced = 2048;  // bytes for group_reduce
  const int64_t bytes = more * kMostThreads * int64_t{sizeof(Acc<T>[kWidth])};
  if (bytes > most_shared_bytes() - kReduced) return false;
  return keep.template operator()<kLongRowPacks<T>>(kMostThreads, more);
}

template bool try_softmax_rows(Stream, const Extents&, float*, const float*, bool);
template bool try_softmax_rows(Stream, const Extents&, double*, const double*, bool);
template bool try_softmax_rows(Stream, const Extents&, Half*, const Half*, bool);
template bool try_softmax_rows(Stream, const Extents&, BFloat16*, const BFloat16*, bool);

}  // namespace reprise::cuda
