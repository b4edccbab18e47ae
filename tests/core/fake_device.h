#pragma once
// GPUs played on the memory of the host: queues do at once what is put there, kernels are those of
// the CPU, and a log keeps what was asked.

#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../../core/device_context.h"
#include "../../core/op.h"

namespace reprise::test {

class FakeRuntime : public DeviceRuntime {
 public:
  explicit FakeRuntime(int devices = 1) : devices_(devices) {}
  FakeRuntime(const FakeRuntime&) = delete;
  ~FakeRuntime() override {
    for (void* block : pinned_) std::free(block);
  }

  std::vector<std::string> log;
  int64_t room = int64_t{1} << 30;  ///< bytes in use and kept together
  bool events_are_done = true;
  bool is_broken = false;  ///< streams and events fail

  /// The log since the last call.
  std::vector<std::string> take_log() { return std::exchange(log, {}); }
  int64_t live_blocks() const { return static_cast<int64_t>(blocks_.size()); }
  int live_events = 0, live_pinned = 0;

  int device_count() override { return devices_; }
  cuda::DeviceProperties properties(int device) override {
    return {.name = text("fake ", device), .major = 9};
  }

  void* allocate(int device, size_t bytes, void* stream) override {
    const auto size = static_cast<int64_t>(bytes);
    if (in_use_ + kept_ + size > room) return nullptr;
    void* const block = host_block(bytes);
    blocks_[block] = size;
    in_use_ += size;
    note("allocate ", device, stream);
    return block;
  }
  void deallocate(int device, void* block, void* stream) noexcept override {
    const auto entry = blocks_.extract(block);
    in_use_ -= entry.mapped();
    kept_ += entry.mapped();
    std::free(block);
    note("deallocate ", device, stream);
  }
  cuda::MemoryInfo memory(int) override { return {room - in_use_ - kept_, room}; }
  int64_t reserved(int) noexcept override { return in_use_ + kept_; }
  void trim(int) override { kept_ = 0; }
  void* allocate_pinned(size_t bytes) override {
    ++live_pinned;
    return *pinned_.insert(host_block(bytes)).first;
  }
  void deallocate_pinned(void* block) noexcept override {
    --live_pinned;
    pinned_.erase(block);
    std::free(block);
  }

  void* make_stream(int, int) override { return reinterpret_cast<void*>(++streams_); }
  bool is_done(int, void*) override { return !is_broken; }
  void synchronize(int device, void* stream) override { note("synchronize ", device, stream); }
  void synchronize(int device) override { log.push_back(text("synchronize ", device)); }

  void* make_event(int, bool) override {
    check(!is_broken, ErrorKind::Device, "the device is lost");
    ++live_events;
    return reinterpret_cast<void*>(++events_);
  }
  void destroy_event(int, void*) noexcept override { --live_events; }
  void record_event(int device, void*, void* stream) override { note("record ", device, stream); }
  void wait_event(int device, void* stream, void*) override { note("wait ", device, stream); }
  bool is_event_done(int, void*) override { return events_are_done; }
  void synchronize_event(int, void*) override { log.push_back("synchronize event"); }
  double elapsed_ms(int, void*, void*) override { return 1.5; }

  void copy(MemoryPlace to, MemoryPlace from, size_t bytes, void* stream) override {
    log.push_back(text("copy ", from.device, " ", to.device, " ", number(stream)));
    std::memcpy(to.data, from.data, bytes);
  }
  void launch(const OpBase& op, const Launch& launch, int device) override {
    note(text(op.name(), " "), device, launch.stream.handle);
    op.launch(Device::cpu(), launch);
  }

 private:
  /// Aligned as the memory of a device is.
  static void* host_block(size_t bytes) {
    return std::aligned_alloc(256, (bytes + 255) & ~size_t{255});
  }
  static int64_t number(void* stream) { return reinterpret_cast<intptr_t>(stream); }
  void note(const std::string& what, int device, void* stream) {
    log.push_back(text(what, device, " ", number(stream)));
  }

  int devices_;
  std::map<void*, int64_t> blocks_;
  int64_t in_use_ = 0, kept_ = 0;
  std::set<void*> pinned_;
  intptr_t streams_ = 0, events_ = 0;
};

/// A process with so many fake devices, for the scope.
struct FakeDevices {
  explicit FakeDevices(int devices = 1) : runtime(devices), context(runtime), guard(context) {}
  FakeRuntime runtime;
  detail::DeviceContext context;
  detail::DeviceContextGuard guard;
};

}  // namespace reprise::test
