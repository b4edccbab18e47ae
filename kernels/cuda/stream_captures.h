#pragma once
// Captures of streams, one at a time in the process. Waiting for a device as a whole fails and
// spoils them, in whatever thread, so whoever does it takes the same lock.

#include <memory>
#include <mutex>
#include <vector>

#include "../../core/device_runtime.h"
#include "captured_graph.h"
#include "relaxed_capture.h"

namespace reprise::cuda {

/// Held by the thread that captures, from begin to end, and by those that wait for a device or have
/// a library start, which does.
std::recursive_mutex& capture_lock();

cudaStreamCaptureStatus capture_status(cudaStream_t stream);
/// The only node that the next one of a captured stream would wait for.
cudaGraphNode_t last_captured(cudaStream_t stream);

class StreamCaptures {
 public:
  explicit StreamCaptures(int devices) : streams_(static_cast<size_t>(devices)) {}

  /// On the current device.
  cudaStream_t begin(int device);
  CapturedGraph end(int device, cudaStream_t stream) noexcept;

 private:
  void leave(int device);

  std::vector<cudaStream_t> streams_;        // by device; null: not made yet
  std::unique_ptr<RelaxedCapture> relaxed_;  // of the thread that captures
};

}  // namespace reprise::cuda
