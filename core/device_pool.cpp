#include "device_pool.h"

#include <algorithm>

namespace reprise::detail {

void* DevicePool::allocate(size_t bytes, void* stream) {
  if (bytes == 0) return nullptr;
  void* block = runtime_.allocate(device_, bytes, stream);
  if (block == nullptr) {
    runtime_.synchronize(device_);  // what other streams free comes back only now
    runtime_.trim(device_);
    block = runtime_.allocate(device_, bytes, stream);
  }
  if (block == nullptr) fail_for(bytes);
  std::lock_guard lock(mutex_);
  blocks_.insert_or_assign(block, Block{bytes, stream, {}});
  stats_.in_use += static_cast<int64_t>(bytes);
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  ++stats_.allocations;
  return block;
}

void DevicePool::deallocate(void* block) noexcept {
  if (block == nullptr) return;
  std::unique_lock lock(mutex_);
  const auto entry = blocks_.extract(block);
  stats_.in_use -= static_cast<int64_t>(entry.mapped().bytes);
  lock.unlock();
  void* const stream = entry.mapped().stream;
  try {
    for (void* user : entry.mapped().users) make_wait(runtime_, device_, stream, device_, user);
  } catch (const Error&) {
    // The device has failed, and everything after this says so.
  }
  runtime_.deallocate(device_, block, stream);
}

bool DevicePool::record_stream(const void* block, void* stream) {
  std::lock_guard lock(mutex_);
  const auto at = blocks_.find(block);
  if (at == blocks_.end()) return false;
  std::vector<void*>& users = at->second.users;
  const bool known = stream == at->second.stream || std::ranges::find(users, stream) != users.end();
  if (!known) users.push_back(stream);
  return true;
}

MemoryStats DevicePool::stats() const noexcept {
  const int64_t reserved = runtime_.reserved(device_);
  std::lock_guard lock(mutex_);
  MemoryStats out = stats_;
  out.reserved = std::max(reserved, out.in_use);
  return out;
}

void DevicePool::reset_peak() noexcept {
  std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

void DevicePool::fail_for(size_t bytes) const {
  const cuda::MemoryInfo memory = runtime_.memory(device_);
  fail(ErrorKind::OutOfMemory, "out of memory: asked for ", bytes, " bytes on cuda:", device_,
       " while ", stats().in_use, " are in use here and ", memory.free, " of ", memory.total,
       " are free");
}

void make_wait(DeviceRuntime& runtime, int device, void* waiting, int other, void* awaited) {
  void* const event = runtime.make_event(other, false);
  try {
    runtime.record_event(other, event, awaited);
    runtime.wait_event(device, waiting, event);
  } catch (...) {
    runtime.destroy_event(other, event);
    throw;
  }
  runtime.destroy_event(other, event);  // what waits keeps what it needs
}

}  // namespace reprise::detail
