#pragma once
// Where blocks of a GPU come from: a stream-ordered pool of our own, for the default one belongs to
// the program around us, or, with REPRISE_CUDA_MALLOC=plain, cudaMalloc for each of them, so that
// memory checkers see their bounds.

#include <atomic>
#include <deque>
#include <mutex>

#include "../../core/cuda.h"
#include "check.h"

namespace reprise::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(int devices);

  /// Null when there is no room.
  void* allocate(int device, size_t bytes, cudaStream_t stream);
  void deallocate(int device, void* block, cudaStream_t stream) noexcept;
  int64_t reserved(int device) noexcept;
  void trim(int device);

 private:
  struct Pool {
    std::once_flag once;
    std::atomic<cudaMemPool_t> pool = nullptr;  // null: none, blocks come from cudaMalloc
  };

  /// Set up at its first use, since that starts the device.
  cudaMemPool_t pool_of(int device);

  const bool plain_;
  std::deque<Pool> pools_;
};

MemoryInfo free_and_total(int device);

}  // namespace reprise::cuda
