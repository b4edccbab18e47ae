#pragma once
// What Reprise asks of a GPU's runtime, and nothing more. kernels/cuda answers by CUDA's; tests
// play it on the memory of the host. Streams and events are opaque; a null stream is a device's
// default one. Everything throws Device errors unless noexcept.

#include <cstddef>
#include <exception>
#include <string>

#include "cuda.h"

namespace reprise {

class OpBase;
struct Launch;

struct MemoryPlace {
  void* data;
  Device device;
};

/// What came of a capture.
struct CapturedGraph {
  void* graph = nullptr;            ///< null: there is none
  int64_t kernels = 0;              ///< that one launch runs
  std::exception_ptr failure = {};  ///< when there is none
};

class DeviceRuntime {
 public:
  virtual ~DeviceRuntime() = default;

  virtual int device_count() = 0;
  virtual cuda::DeviceProperties properties(int device) = 0;
  /// A sentence without its full stop when kernels do not run there; asked once.
  virtual std::string why_not(int device) = 0;

  /// Memory of the device in the order of `stream`; null when there is no room.
  virtual void* allocate(int device, size_t bytes, void* stream) = 0;
  /// Whoever gets the block next may use it once `stream` has come to this point.
  virtual void deallocate(int device, void* block, void* stream) noexcept = 0;
  virtual cuda::MemoryInfo memory(int device) = 0;
  /// Bytes that blocks in use and blocks kept for reuse take; 0 when nothing is kept.
  virtual int64_t reserved(int device) noexcept = 0;
  /// Gives the blocks kept for reuse back to the system.
  virtual void trim(int device) = 0;
  /// Memory of the host from which devices copy by themselves; null when there is no room.
  virtual void* allocate_pinned(size_t bytes) = 0;
  virtual void deallocate_pinned(void* block) noexcept = 0;

  /// A stream that lives as long as the process. The lower the priority, the sooner it is served.
  virtual void* make_stream(int device, int priority) = 0;
  virtual bool is_done(int device, void* stream) = 0;
  virtual void synchronize(int device, void* stream) = 0;
  virtual void synchronize(int device) = 0;
  /// Throws what a kernel that was waited for found wrong with values, a late Index error that
  /// names its op and layer; once.
  virtual void throw_fault(int device) = 0;

  virtual void* make_event(int device, bool timing) = 0;
  virtual void destroy_event(int device, void* event) noexcept = 0;
  virtual void record_event(int device, void* event, void* stream) = 0;
  /// Work queued on `stream` from now on waits for what `event` recorded, also on another device.
  virtual void wait_event(int device, void* stream, void* event) = 0;
  virtual bool is_event_done(int device, void* event) = 0;
  virtual void synchronize_event(int device, void* event) = 0;
  virtual double elapsed_time(int device, void* start, void* end) = 0;

  /// Queued on `stream`, which belongs to one of the two devices.
  virtual void copy(MemoryPlace to, MemoryPlace from, size_t bytes, void* stream) = 0;
  /// Runs the kernel of `op` with that device as the current one.
  virtual void launch(const OpBase& op, const Launch& launch, int device) = 0;

  /// Until end_capture what this thread puts on the stream that is returned, which no memory
  /// belongs to, is kept and not run.
  virtual void* begin_capture(int device) = 0;
  /// Whatever happened since, another capture may begin. The failure is late when none of the calls
  /// that were captured made it: another thread waited for the whole device, say.
  virtual CapturedGraph end_capture(int device, void* stream) noexcept = 0;
  /// The copy that was kept last, for `set_copy`.
  virtual void* captured_copy(int device, void* stream) = 0;
  /// Gives a copy within a device other addresses, from the next launch on. False when a graph
  /// cannot copy that memory (of another kind or pool, say): then launches leave the copy out.
  virtual bool set_copy(int device, void* graph, void* copy, void* to, const void* from,
                        size_t bytes) = 0;
  /// Launches of one graph run one after the other. One thread at a time.
  virtual void launch_graph(int device, void* graph, void* stream) = 0;
  virtual void destroy_graph(int device, void* graph) noexcept = 0;
};

struct FoundRuntime {
  DeviceRuntime* runtime;  ///< null: there is none
  std::string why_not;     ///< then: a sentence without its full stop
};

/// Looks for devices; does not throw. Defined below kernels/: in kernels/cuda, or in no_cuda.cpp.
FoundRuntime find_device_runtime();

}  // namespace reprise
