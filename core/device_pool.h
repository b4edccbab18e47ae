#pragma once
// Memory of one GPU: the runtime keeps the bytes, this class the books, and it knows which streams
// a block was used on. All of it may be called by several threads at once.

#include <mutex>
#include <unordered_map>
#include <vector>

#include "device_runtime.h"

namespace reprise::detail {

class DevicePool {
 public:
  DevicePool(DeviceRuntime& runtime, int device) : runtime_(runtime), device_(device) {}
  DevicePool(const DevicePool&) = delete;

  /// A block that belongs to `stream`; nullptr for 0 bytes. OutOfMemory error, after all that is
  /// kept for reuse was given up.
  void* allocate(size_t bytes, void* stream);
  /// The block is free again once its stream, and those that `record_stream` named, come here.
  void deallocate(void* block) noexcept;
  /// False when the block is not of this pool.
  bool record_stream(const void* block, void* stream);

  MemoryStats stats() const noexcept;
  void reset_peak() noexcept;

 private:
  struct Block {
    size_t bytes;
    void* stream;
    std::vector<void*> users;
  };

  [[noreturn]] void fail_for(size_t bytes) const;

  DeviceRuntime& runtime_;
  const int device_;
  mutable std::mutex mutex_;
  std::unordered_map<const void*, Block> blocks_;
  MemoryStats stats_{};
};

/// `waiting` goes on once `awaited` has come to this point; they may belong to two devices.
void make_wait(DeviceRuntime& runtime, int device, void* waiting, int other, void* awaited);

}  // namespace reprise::detail
