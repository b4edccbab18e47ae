#include "launch.cuh"

#include <map>
#include <mutex>

#include "on_device.h"

namespace reprise::cuda {

void allow_shared(const void* kernel, size_t bytes) {
  static auto& mutex = *new std::mutex;
  static auto& allowed = *new std::map<std::pair<const void*, int>, size_t>;
  const std::lock_guard lock(mutex);
  size_t& most = allowed[{kernel, current_device()}];
  if (bytes <= most) return;
  REPRISE_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                          static_cast<int>(bytes)));
  most = bytes;
}

}  // namespace reprise::cuda
