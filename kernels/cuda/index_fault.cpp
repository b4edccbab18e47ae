#include "index_fault.h"

#include <array>
#include <atomic>
#include <mutex>
#include <optional>
#include <set>

#include "../../core/index_error.h"
#include "../../core/scope.h"
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

/// What is ready, once. One thread at a time, for as soon as a fault is taken a kernel may write
/// the next one, which another thread must not be reading.
std::optional<IndexFault> taken(IndexFault& fault) {
  static std::mutex& mutex = *new std::mutex;
  const std::lock_guard lock(mutex);
  const std::atomic_ref state(fault.state);
  if (state.load(std::memory_order_acquire) != FaultState::ready) return std::nullopt;
  const IndexFault found = fault;
  state.store(FaultState::none, std::memory_order_release);
  return found;
}

}  // namespace

IndexFault* index_fault() { return fault_of(current_device()); }

const char* current_layer() {
  const Ref<const detail::ScopePath> path = detail::Scope::current();
  if (!path) return nullptr;
  static std::mutex& mutex = *new std::mutex;
  static auto& paths = *new std::set<std::string>;
  const std::lock_guard lock(mutex);
  const std::string& kept = *paths.insert(to_string(*path)).first;
  return kept.empty() ? nullptr : kept.c_str();
}

void throw_index_fault(int device) {
  IndexFault* const fault = faults[static_cast<size_t>(device)].load(std::memory_order_acquire);
  if (fault == nullptr) return;
  if (std::atomic_ref(fault->state).load(std::memory_order_acquire) != FaultState::ready) return;
  const std::optional<IndexFault> found = taken(*fault);
  if (!found) return;  // another thread was told
  const IndexRule& rule = found->rule;
  try {
    if (rule.op == nullptr) detail::fail_class(rule.size, found->value, found->position);
    detail::fail_index(rule.op, rule.dim, rule.least, rule.size, found->value,
                       detail::index_of(found->position, rule.shape));
  } catch (Error& error) {
    if (rule.layer != nullptr) error.prepend(rule.layer);
    error.set_late();
    throw;
  }
}

}  // namespace reprise::cuda
