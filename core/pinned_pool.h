#pragma once
// Host memory from which devices copy by themselves. Taking it from the system is slow, so blocks
// are kept, by powers of two, and handed out again when no copy reads them any more.

#include <map>
#include <mutex>
#include <vector>

#include "device_runtime.h"

namespace reprise::detail {

class PinnedPool {
 public:
  explicit PinnedPool(DeviceRuntime& runtime) : runtime_(runtime) {}
  PinnedPool(const PinnedPool&) = delete;

  /// At least `bytes` bytes; nullptr for none. OutOfMemory error.
  void* allocate(size_t bytes);
  void deallocate(void* block) noexcept;
  /// A copy from or to `address` was queued on `stream`. False for memory that is not ours.
  bool record_use(const void* address, int device, void* stream);
  /// Gives the blocks that nobody uses back to the system.
  void trim();

 private:
  struct Use {
    int device;
    void *stream, *event;
  };
  struct Block {
    size_t bytes;
    bool free = false;
    std::vector<Use> uses = {};
  };

  std::byte* reuse(size_t bytes);
  bool is_idle(Block& block);

  DeviceRuntime& runtime_;
  std::mutex mutex_;
  std::map<const std::byte*, Block> blocks_;
};

}  // namespace reprise::detail
