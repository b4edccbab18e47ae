#pragma once
// How kernels are started:
//
//   template <class T>
//   __global__ void scale(T* y, const T* x, T by, int64_t n) {
//     for (int64_t i = first_index(); i < n; i += index_step()) y[i] = x[i] * by;
//   }
//   launch(l.stream, blocks_for(n), kThreads, scale<float>, y, x, by, n);
//
// Arguments are converted to the parameters' types. A grid without blocks is not started.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "../../core/device.h"
#include "../../core/export.h"
#include "check.h"

namespace reprise::cuda {

/// Threads of a block, where nothing speaks for another number.
inline constexpr unsigned kThreads = 256;
/// Blocks that keep any device busy; kernels walk the rest in a loop.
inline constexpr int64_t kMostBlocks = 4096;

/// Blocks for `n` elements, `per_thread` at a time.
inline dim3 blocks_for(int64_t n, int64_t per_thread = 1, unsigned threads = kThreads) {
  const int64_t each = per_thread * threads;
  return static_cast<unsigned>(std::min((n + each - 1) / each, kMostBlocks));
}

/// Blocks, threads of each, and bytes of shared_memory.
struct Grid {
  dim3 blocks, threads;
  size_t shared_bytes = 0;
};

/// Launches of `kernel` on the current device may have so much shared memory from now on. The limit
/// is the kernel's, whichever thread launches it, so it is only ever raised.
void allow_shared(const void* kernel, size_t bytes);

template <class... P>
void launch(Stream stream, const Grid& grid, void (*kernel)(P...),
            std::type_identity_t<P>... args) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
  constexpr size_t kAlwaysThere = 32 << 10;  // of 48 KiB, which static shared memory counts towards
  if (grid.shared_bytes > kAlwaysThere) {
    allow_shared(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
  }
  cudaLaunchConfig_t config{};
  config.gridDim = grid.blocks;
  config.blockDim = grid.threads;
  config.dynamicSmemBytes = grid.shared_bytes;
  config.stream = static_cast<cudaStream_t>(stream.handle);
  REPRISE_CUDA_CHECK(cudaLaunchKernelEx(&config, kernel, std::forward<P>(args)...));
}
template <class... P>
void launch(Stream stream, dim3 blocks, dim3 threads, void (*kernel)(P...),
            std::type_identity_t<P>... args) {
  launch(stream, Grid{blocks, threads}, kernel, std::forward<P>(args)...);
}

/// In kernels of one dimension: element of this thread, and how far it is to its next one.
__device__ inline int64_t first_index() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t index_step() { return int64_t{gridDim.x} * blockDim.x; }

extern __shared__ uint4 shared_memory[];

/// The shared memory whose size the launch gives.
template <class T>
__device__ T* dynamic_shared() {
  return reinterpret_cast<T*>(shared_memory);
}

}  // namespace reprise::cuda
