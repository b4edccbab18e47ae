#pragma once
// Reductions across the threads of a warp or block. Every thread of the warp, or of the block,
// takes part and gets the result, whose order is always the same: pairs, pairs of pairs.

#include <cstring>
#include <type_traits>

#include "launch.cuh"

namespace reprise::cuda {

inline constexpr int kWarp = 32;
inline constexpr unsigned kAllLanes = ~0U;

/// What the lane gave whose number differs in the bits of `by`.
template <class T>
__device__ T shuffle_xor(T value, int by) {
  if constexpr (std::is_arithmetic_v<T>) {
    return __shfl_xor_sync(kAllLanes, value, by);
  } else {
    unsigned words[sizeof(T) / sizeof(unsigned)];
    static_assert(sizeof(words) == sizeof(T));
    std::memcpy(words, &value, sizeof(T));
    for (unsigned& word : words) word = __shfl_xor_sync(kAllLanes, word, by);
    std::memcpy(&value, words, sizeof(T));
    return value;
  }
}

/// f over groups of `lanes` neighbours, a power of two; f(a, b) == f(b, a).
template <class T, class F>
__device__ T warp_reduce(T value, F f, int lanes = kWarp) {
  for (int by = lanes / 2; by > 0; by /= 2) value = f(value, shuffle_xor(value, by));
  return value;
}

/// f over all threads of a block of whole warps. `none` does not change what it is joined with.
template <class T, class F>
__device__ T block_reduce(T value, const T& none, F f) {
  __shared__ T warps[kWarp];
  const unsigned lane = threadIdx.x % kWarp, count = blockDim.x / kWarp;
  value = warp_reduce(value, f);
  __syncthreads();  // the last reduction may still be read
  if (lane == 0) warps[threadIdx.x / kWarp] = value;
  __syncthreads();
  return warp_reduce(lane < count ? warps[lane] : none, f);
}

/// f over groups of `threads`: at most a warp, or the whole block.
template <class T, class F>
__device__ T group_reduce(T value, const T& none, F f, int threads) {
  return threads <= kWarp ? warp_reduce(value, f, threads) : block_reduce(value, none, f);
}

}  // namespace reprise::cuda
