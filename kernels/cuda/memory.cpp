#include "memory.h"

#include <cstdlib>
#include <string_view>

#include "on_device.h"

namespace reprise::cuda {
namespace {

bool wants_plain() {
  const char* const value = std::getenv("REPRISE_CUDA_MALLOC");
  return value != nullptr && std::string_view(value) == "plain";
}

/// It keeps what is freed. Null where the device has no pools.
cudaMemPool_t make_pool(int device) {
  int has_pools = 0;
  REPRISE_CUDA_CHECK(cudaDeviceGetAttribute(&has_pools, cudaDevAttrMemoryPoolsSupported, device));
  if (has_pools == 0) return nullptr;
  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = device;
  cudaMemPool_t pool = nullptr;
  REPRISE_CUDA_CHECK(cudaMemPoolCreate(&pool, &properties));
  uint64_t all = UINT64_MAX;
  REPRISE_CUDA_CHECK(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &all));
  return pool;
}

}  // namespace

DeviceMemory::DeviceMemory(int devices)
    : plain_(wants_plain()), pools_(static_cast<size_t>(devices)) {}

cudaMemPool_t DeviceMemory::pool_of(int device) {
  Pool& pool = pools_[static_cast<size_t>(device)];
  std::call_once(pool.once, [&] { pool.pool = plain_ ? nullptr : make_pool(device); });
  return pool.pool;
}

void* DeviceMemory::allocate(int device, size_t bytes, cudaStream_t stream) {
  const OnDevice on(device);
  void* block = nullptr;
  const cudaMemPool_t pool = pool_of(device);
  const cudaError_t status = pool == nullptr ? cudaMalloc(&block, bytes)
                                             : cudaMallocFromPoolAsync(&block, bytes, pool, stream);
  if (status == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return nullptr;
  }
  check_status(status, "cudaMalloc");
  return block;
}

void DeviceMemory::deallocate(int device, void* block, cudaStream_t stream) noexcept {
  try {
    const OnDevice on(device);
    // Nobody could be told of a failure, which the next call will meet again.
    (void)(pool_of(device) == nullptr ? cudaFree(block) : cudaFreeAsync(block, stream));
  } catch (const Error&) {
    // The process ends, and CUDA is gone already.
  }
}

int64_t DeviceMemory::reserved(int device) noexcept {
  const cudaMemPool_t pool = pools_[static_cast<size_t>(device)].pool;
  uint64_t bytes = 0;
  if (pool == nullptr) return 0;
  const auto status = cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReservedMemCurrent, &bytes);
  return status == cudaSuccess ? static_cast<int64_t>(bytes) : 0;
}

void DeviceMemory::trim(int device) {
  const cudaMemPool_t pool = pool_of(device);
  if (pool != nullptr) REPRISE_CUDA_CHECK(cudaMemPoolTrimTo(pool, 0));
}

MemoryInfo free_and_total(int device) {
  const OnDevice on(device);
  size_t free = 0, total = 0;
  REPRISE_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return {static_cast<int64_t>(free), static_cast<int64_t>(total)};
}

}  // namespace reprise::cuda
