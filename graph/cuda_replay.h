#pragma once
// How a program whose values lie on one GPU is run: its calls one after the other, until a thread
// has run it once, and from then on as one CUDA Graph. Tensors of the caller have places of their
// own there: the graph begins and ends with copies, whose other ends each run sets anew. The
// numbers of its random ops come from a counter on the device, which moves as the generator does.

#include <array>
#include <functional>
#include <optional>
#include <thread>

#include "../core/device_runtime.h"
#include "../core/storage.h"
#include "port.h"

namespace reprise::detail {

/// A GPU on which values of `graph` lie; none when all are on the CPU.
std::optional<Device> gpu_of(const Graph& graph);
/// Why no CUDA Graph can be made of such a graph; empty when one may be.
std::string obstacle_to_capture(const Graph& graph);

class CudaReplay {
 public:
  explicit CudaReplay(Device device);
  ~CudaReplay();
  CudaReplay(const CudaReplay&) = delete;

  /// What NextBlocks{count} moves; each run has one such call more.
  View take_counter(int64_t count);
  /// Takes from the generator what the calls of a run will draw.
  void draw_numbers();
  /// A run did not come to its end: the counter stands who knows where.
  void forget_numbers() { counter_stands_.reset(); }

  /// Makes a graph of `run`, so many calls that read and write what the ports are bound to, which
  /// are tensors of a caller. Does nothing unless this thread has run them before, for kernels set
  /// up what they need in their first run, and after a failure.
  void capture(std::span<Port> inputs, std::span<Port> outputs, size_t calls,
               const std::function<void()>& run);
  bool is_captured() const { return graph_ != nullptr; }
  /// Runs the graph for what the ports are bound to.
  void launch(std::span<const Port> inputs, std::span<const Port> outputs);

  /// "one CUDA graph of 12 kernels", or "a loop of ... calls, since ..."
  std::string text(size_t calls) const;

 private:
  /// Where the tensor of one port is copied to or from.
  struct Place {
    std::byte* data;
    size_t bytes;
    void* bound;                                   // that tensor
    void *copy_in = nullptr, *copy_out = nullptr;  // nodes of the graph
  };

  void take_places(std::span<Port* const> ports, size_t calls);
  void record(std::span<Port* const> ports, size_t inputs, const std::function<void()>& run);
  void set_copies(DeviceRuntime& runtime, Place& place, void* data);

  const Device device_;
  const Meta counter_meta_;
  Ref<Storage> counter_, memory_;  // memory_: of the places
  uint64_t blocks_ = 0;            // that a run draws
  std::optional<std::array<uint64_t, 2>> counter_stands_;
  std::thread::id ran_on_;
  bool was_tried_ = false;
  std::vector<Place> places_;  // of inputs, then of outputs
  void* graph_ = nullptr;
  int64_t kernels_ = 0;
  std::string why_loop_;
};

}  // namespace reprise::detail
