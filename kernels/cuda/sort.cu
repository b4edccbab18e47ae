#include "sort.cuh"

namespace reprise::cuda {
namespace {

/// The lower key of pair t, among pairs that are `apart`.
__device__ int64_t first_of_pair(int64_t t, int64_t apart) {
  return t / apart * 2 * apart + t % apart;
}

__device__ void sort_pair(uint64_t& a, uint64_t& b, bool ascending) {
  if ((a > b) != ascending) return;
  const uint64_t kept = a;
  a = b;
  b = kept;
}

/// Makes runs of `run` keys, that ascend and descend in turn, from runs of half their length, for
/// all `run` up to `last`; starts where pairs lie within one tile.
__global__ void sort_tiles(uint64_t* keys, int64_t tile, int64_t run, int64_t last) {
  __shared__ uint64_t shared[kSortTile];
  const int64_t begin = int64_t{blockIdx.x} * tile;
  for (int64_t i = threadIdx.x; i < tile; i += blockDim.x) shared[i] = keys[begin + i];
  for (; run <= last; run *= 2) {
    for (int64_t apart = (run < tile ? run : tile) / 2; apart > 0; apart /= 2) {
      __syncthreads();
      for (int64_t t = threadIdx.x; t < tile / 2; t += blockDim.x) {
        const int64_t i = first_of_pair(t, apart);
        sort_pair(shared[i], shared[i + apart], ((begin + i) & run) == 0);
      }
    }
  }
  __syncthreads();
  for (int64_t i = threadIdx.x; i < tile; i += blockDim.x) keys[begin + i] = shared[i];
}

/// One step of a run, between keys of different tiles.
__global__ void sort_pairs(uint64_t* keys, int64_t pairs, int64_t run, int64_t apart) {
  for (int64_t t = first_index(); t < pairs; t += index_step()) {
    const int64_t i = first_of_pair(t, apart);
    sort_pair(keys[i], keys[i + apart], (i & run) == 0);
  }
}

}  // namespace

void sort_keys(Stream stream, uint64_t* keys, int64_t count) {
  const int64_t tile = std::min(count, kSortTile);
  const auto tiles = static_cast<unsigned>(count / tile);
  launch(stream, tiles, kThreads, sort_tiles, keys, tile, 2, tile);
  for (int64_t run = 2 * tile; run <= count; run *= 2) {
    for (int64_t apart = run / 2; apart >= tile; apart /= 2) {
      launch(stream, blocks_for(count / 2), kThreads, sort_pairs, keys, count / 2, run, apart);
    }
    launch(stream, tiles, kThreads, sort_tiles, keys, tile, run, run);
  }
}

}  // namespace reprise::cuda
