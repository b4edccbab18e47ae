#pragma once
// How a program with values on a GPU is run. Its calls fall into segments: those in a row that a
// CUDA Graph can hold, and between them host steps, which the host starts in each run (C++
// functions, copies to and from it, kernels elsewhere). A program runs as a loop twice, for kernels
// set up what they need when a thread first runs them. The thread of the second run then captures
// the segments, and from there on a run launches their graphs. A capture that others spoilt is
// tried again behind the next runs.
//
// Tensors of the caller have places of their own, in the loop as well, so that kernels meet the
// same alignment everywhere: the first graph begins with copies to them, the last one ends with
// copies back, and each run sets the other ends of these anew. The numbers of random ops come from
// a counter on the device, which moves as the generator does.

#include <array>
#include <functional>
#include <optional>

#include "../core/device_runtime.h"
#include "../core/storage.h"
#include "port.h"

namespace reprise::detail {

/// A GPU on which values of `graph` lie; none when all are on the CPU.
std::optional<Device> gpu_of(const Graph& graph);

class CudaReplay {
 public:
  /// Runs the calls begin .. end - 1 on the current stream.
  using RunCalls = std::function<void(size_t begin, size_t end)>;

  explicit CudaReplay(Device device);
  ~CudaReplay();
  CudaReplay(const CudaReplay&) = delete;

  Device device() const { return device_; }
  /// What the NextBlocks of a program move.
  View counter();
  /// Once all calls are there; they and the ports stay where they are.
  void bind(std::span<const BoundCall> calls, std::span<Port> inputs, std::span<Port> outputs);
  /// One run for what the ports are bound to.
  void run(const RunCalls& calls);

  /// A setting changed by which kernels are chosen, and no run has seen it.
  bool is_out_of_date() const;
  size_t bytes_of_places() const { return memory_ ? memory_->nbytes() : 0; }
  /// "one CUDA graph of 12 kernels", "2 CUDA graphs of 9 kernels and 1 host step", or "a loop of 12
  /// calls, since ..."; and of captures that others spoilt.
  std::string text() const;

 private:
  struct Segment {
    size_t begin, end;  // calls
    bool is_captured;   // or host steps
    uint64_t blocks;    // of random numbers that it draws
    void* graph = nullptr;
  };
  /// Between the tensor of a port and its place.
  struct PortCopy {
    const Port* port;
    std::byte* place;
    size_t bytes;
    void *node = nullptr, *bound = nullptr;  // of the graph, and the tensor that it is set to
    bool is_apart = false;                   // the graph does not take that tensor's memory
  };

  void divide(std::span<const BoundCall> calls);
  void take_places(std::span<Port> inputs, std::span<Port> outputs);
  void begin_and_end_with_graphs();
  void draw_numbers(uint64_t blocks);
  void queue(Segment& segment, const RunCalls& calls, bool captures);
  void capture(const RunCalls& calls);
  void capture_failed(const std::exception& error);
  void record(Segment& segment, const RunCalls& calls);
  void launch(const Segment& segment);
  void aim(PortCopy& copy, void* graph, bool in);
  void copy(const PortCopy& copy, bool in, void* stream);
  void drop_graphs() noexcept;
  std::string spoilt_text() const;
  DeviceRuntime& runtime() const;

  const Device device_;
  const Meta counter_meta_;
  Ref<Storage> counter_, memory_;  // memory_: of the places
  std::optional<std::array<uint64_t, 2>> counter_stands_;
  std::vector<Segment> segments_;
  std::vector<PortCopy> in_, out_;  // of the first segment and of the last
  uint64_t settings_;               // kernel_settings() that loops and graphs were made with
  int loops_ = 0;
  bool is_captured_ = false;
  size_t calls_ = 0;
  int64_t kernels_ = 0;
  std::string why_loop_;
  int spoilt_ = 0;  // captures, by others
  std::string why_spoilt_;
};

}  // namespace reprise::detail
