#pragma once
// Sorts keys in place, ascending: a bitonic network (Batcher, 1968), whose comparisons depend on
// nothing but their number. Steps within kSortTile keys run in shared memory.

#include "launch.cuh"

namespace reprise::cuda {

inline constexpr int64_t kSortTile = 2048;

/// `count`: a power of two, at least 2.
void sort_keys(Stream stream, uint64_t* keys, int64_t count);

}  // namespace reprise::cuda
