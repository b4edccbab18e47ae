#pragma once
// Storage: the bytes, their device and a version that every in-place write raises. Views share it.

#include <atomic>
#include <cstddef>
#include <functional>

#include "device.h"
#include "export.h"
#include "ref.h"

namespace reprise {

class REPRISE_API Storage : public RefCounted<Storage> {
 public:
  /// `bytes` uninitialised bytes from the allocator of `device`. OutOfMemory error.
  Storage(size_t bytes, Device device);
  /// Bytes owned by the caller; `deleter` runs when the last tensor on them dies.
  Storage(void* data, size_t bytes, std::function<void(void*)> deleter, Device device = {});
  /// Without bytes: what a trace knows of values that will be there at replay.
  static Ref<Storage> traced(size_t bytes, Device device);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  std::byte* data() const { return data_; }
  /// The deleter it was made with, when that is a D; else null.
  template <class D>
  const D* deleter() const {
    return deleter_.template target<D>();
  }
  size_t nbytes() const { return bytes_; }
  Device device() const { return device_; }
  /// Inside a trace: the values are not known, or not yet what they will be.
  bool is_traced() const { return traced_; }
  void set_traced(bool on) { traced_ = on; }
  uint32_t version() const { return version_.load(std::memory_order_relaxed); }
  void set_version(uint32_t version) { version_.store(version, std::memory_order_relaxed); }
  void bump_version() { version_.fetch_add(1, std::memory_order_relaxed); }
  /// In-place writes that the tape recorded: older views do not know where their values came from.
  uint32_t recorded_writes() const { return recorded_writes_.load(std::memory_order_relaxed); }
  void count_recorded_write() { recorded_writes_.fetch_add(1, std::memory_order_relaxed); }

 private:
  Storage() = default;

  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
  Device device_;
  bool traced_ = false;
  std::atomic<uint32_t> version_{0}, recorded_writes_{0};
  std::function<void(void*)> deleter_;  // empty: the bytes go back to the allocator of the CPU
};

}  // namespace reprise
