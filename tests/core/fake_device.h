#pragma once
// GPUs played on the memory of the host: queues do at once what is put there, kernels are those of
// the CPU, and a log keeps what was asked.

#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "../../core/device_context.h"
#include "../../core/op.h"

namespace reprise::test {

class FakeRuntime : public DeviceRuntime {
 public:
  explicit FakeRuntime(int devices = 1, std::set<int> too_old = {})
      : devices_(devices), too_old_(std::move(too_old)) {}
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
  int live_events = 0, live_pinned = 0, live_graphs = 0;
  std::string fault;                ///< what a kernel found
  std::string refused_in_captures;  ///< the name of an op
  int spoilt_captures = 0;          ///< so many are, from now on
  bool refuses_copies = false;      ///< set_copy

  int device_count() override { return devices_; }
  cuda::DeviceProperties properties(int device) override {
    return {.name = text("fake ", device), .major = 9};
  }
  std::string why_not(int device) override { return too_old_.contains(device) ? "too old" : ""; }

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
  void throw_fault(int) override {
    if (!fault.empty()) throw_late(ErrorKind::Index, std::exchange(fault, {}));
  }

  void* make_event(int, bool) override {
    check(!is_broken, ErrorKind::Device, "the device is lost");
    ++live_events;
    return reinterpret_cast<void*>(++events_);
  }
  void destroy_event(int, void*) noexcept override { --live_events; }
  void record_event(int device, void*, void* stream) override { note("record ", device, stream); }
  void wait_event(int device, void* stream, void*) override {
    check(!is_broken, ErrorKind::Device, "the device is lost");
    note("wait ", device, stream);
  }
  bool is_event_done(int, void*) override { return events_are_done; }
  void synchronize_event(int, void*) override { log.push_back("synchronize event"); }
  double elapsed_time(int, void*, void*) override { return 1.5; }

  void copy(MemoryPlace to, MemoryPlace from, size_t bytes, void* stream) override {
    if (captures(stream)) {
      Copied& copied = capturing_->copies.emplace_back(Copied{to.data, from.data, bytes});
      capturing_->work.push_back([&] { std::memcpy(copied.to, copied.from, copied.bytes); });
      return;
    }
    log.push_back(text("copy ", from.device, " ", to.device, " ", number(stream)));
    std::memcpy(to.data, from.data, bytes);
  }
  void launch(const OpBase& op, const Launch& launch, int device) override {
    if (refused_in_captures == op.name() && capturing_ != nullptr) {
      fail(ErrorKind::Device, op.name(), ": operation not permitted when stream is capturing");
    }
    if (captures(launch.stream.handle)) return capture(op, launch);
    note(text(op.name(), " "), device, launch.stream.handle);
    run_on_host(op, launch);
  }

  void* begin_capture(int device) override {
    log.push_back(text("begin capture ", device));
    capturing_ = std::make_unique<FakeGraph>();
    return captured_stream_;
  }
  CapturedGraph end_capture(int device, void*) noexcept override {
    log.push_back(text("end capture ", device));
    if (spoilt_captures > 0) {
      --spoilt_captures;
      capturing_.reset();
      Error spoilt(ErrorKind::Device, "spoilt");
      spoilt.set_late();
      return {nullptr, 0, std::make_exception_ptr(spoilt)};
    }
    ++live_graphs;
    const auto copies = static_cast<int64_t>(capturing_->copies.size());
    const int64_t kernels = static_cast<int64_t>(capturing_->work.size()) - copies;
    return {capturing_.release(), kernels, {}};
  }
  void* captured_copy(int, void*) override { return &capturing_->copies.back(); }
  bool set_copy(int, void*, void* copy, void* to, const void* from, size_t bytes) override {
    log.push_back("set copy");
    *static_cast<Copied*>(copy) = {to, from, refuses_copies ? 0 : bytes};
    return !refuses_copies;
  }
  void launch_graph(int device, void* graph, void* stream) override {
    note("launch graph ", device, stream);
    for (const auto& work : static_cast<FakeGraph*>(graph)->work) work();
  }
  void destroy_graph(int, void* graph) noexcept override {
    --live_graphs;
    delete static_cast<FakeGraph*>(graph);
  }

 private:
  [[noreturn]] static void throw_late(ErrorKind kind, std::string text) {
    Error error(kind, std::move(text));
    error.set_late();
    throw error;
  }
  /// Aligned as the memory of a device is.
  static void* host_block(size_t bytes) {
    return std::aligned_alloc(256, (bytes + 255) & ~size_t{255});
  }
  static int64_t number(void* stream) { return reinterpret_cast<intptr_t>(stream); }
  void note(const std::string& what, int device, void* stream) {
    log.push_back(text(what, device, " ", number(stream)));
  }

  struct Copied {
    void* to;
    const void* from;
    size_t bytes;
  };
  struct FakeGraph {
    std::list<Copied> copies;
    std::vector<std::function<void()>> work;
  };

  bool captures(void* stream) const { return capturing_ != nullptr && stream == captured_stream_; }
  /// With the scratch that the kernel of the CPU needs.
  static void run_on_host(const OpBase& op, Launch launch) {
    Metas metas;
    for (const View& view : launch.in) metas.push_back(*view.meta);
    const std::unique_ptr<void, void (*)(void*)> scratch(
        host_block(op.workspace(metas, Device::cpu())), std::free);
    launch.workspace = scratch.get();
    op.launch(Device::cpu(), launch);
  }

  /// A graph knows addresses; what a launch refers to may be gone when it runs.
  void capture(const OpBase& op, const Launch& launch) {
    capturing_->work.push_back(
        [op = op.keep(), launch, in = copied(launch.in), out = copied(launch.out)] {
          run_on_host(*op, {in, out, launch.workspace, launch.stream});
        });
  }
  static std::vector<View> copied(std::span<const View> views) {
    return {views.begin(), views.end()};
  }

  int devices_;
  std::set<int> too_old_;
  std::unique_ptr<FakeGraph> capturing_;
  char capture_queue_ = 0;
  void* const captured_stream_ = &capture_queue_;
  std::map<void*, int64_t> blocks_;
  int64_t in_use_ = 0, kept_ = 0;
  std::set<void*> pinned_;
  intptr_t streams_ = 0, events_ = 0;
};

/// A process with so many fake devices, for the scope.
struct FakeDevices {
  explicit FakeDevices(int devices = 1, std::set<int> too_old = {})
      : runtime(devices, std::move(too_old)), context(runtime), guard(context) {}
  FakeRuntime runtime;
  detail::DeviceContext context;
  detail::DeviceContextGuard guard;
};

}  // namespace reprise::test
