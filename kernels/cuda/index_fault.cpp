#include "index_fault.h"

#include <array>
#include <atomic>
#include <mutex>

#include "../../core/index_error.h"
#include "on_device.h"
#include "relaxed_capture.h"

namespace reprise::cuda {
namespace {

constexpr size_t kMostDevices = 128;  // Device::index

/// Made at the first kernel that may report, and kept: kernels may run at any time.
constinit std::array<std::atomic<IndexFault*>, kMostDevices> faults{};

IndexFault* make_fault() {
  const RelaxedCapture relaxed;
  void* block = nullptr;
  REPRISE_CUDA_CHECK(
      cudaHostAlloc(&block, sizeof(IndexFault), cudaHostAllocPortable | cudaHostAllocMapped));
  return new (block) IndexFault{};
}

IndexFault* fault_of(int device) {
  static std::mutex& mutex = *new std::mutex;
  std::atomic<IndexFault*>& fault = faults[static_cast<size_t>(device)];
  if (IndexFault* const known = fault.load(std::memory_order_acquire)) return known;
  const std::lock_guard lock(mutex);
  if (fault == nullptr) fault = make_fault();
  return fault;
}

}  // namespace

IndexFault* index_fault() { return fault_of(current_device()); }

void throw_index_fault(int device) {
  IndexFault* const fault = faults[static_cast<size_t>(device)].load(std::memory_order_acquire);
  if (fault == nullptr) return;
  const std::atomic_ref state(fault->state);
  if (state.load(std::memory_order_acquire) != FaultState::ready) return;
  const IndexFault found = *fault;
  auto expected = FaultState::ready;  // another thread may have been told
  if (!state.compare_exchange_strong(expected, FaultState::none)) return;
  const IndexRule& rule = found.rule;
  detail::fail_index(rule.op, rule.dim, rule.least, rule.size, found.value,
                     detail::index_of(found.position, rule.shape));
}

}  // namespace reprise::cuda
