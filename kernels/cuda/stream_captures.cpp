#include "stream_captures.h"

#include "on_device.h"

namespace reprise::cuda {
namespace {

cudaError_t capture_info(cudaStream_t stream, cudaStreamCaptureStatus* status,
                         const cudaGraphNode_t** last, size_t* count) {
#if CUDART_VERSION >= 13000
  return cudaStreamGetCaptureInfo(stream, status, nullptr, nullptr, last, nullptr, count);
#else
  return cudaStreamGetCaptureInfo(stream, status, nullptr, nullptr, last, count);
#endif
}

}  // namespace

std::recursive_mutex& capture_lock() {
  static std::recursive_mutex& lock = *new std::recursive_mutex;
  return lock;
}

cudaStreamCaptureStatus capture_status(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  REPRISE_CUDA_CHECK(cudaStreamIsCapturing(stream, &status));
  return status;
}

cudaGraphNode_t last_captured(cudaStream_t stream) {
  cudaStreamCaptureStatus status{};
  const cudaGraphNode_t* last = nullptr;
  size_t count = 0;
  REPRISE_CUDA_CHECK(capture_info(stream, &status, &last, &count));
  if (status == cudaStreamCaptureStatusInvalidated) {
    check_status(cudaErrorStreamCaptureInvalidated, "cudaStreamGetCaptureInfo");
  }
  ensure(count == 1, "cuda: a capture without a last node");
  return last[0];
}

bool Graph::set_copy(cudaGraphNode_t copy, void* to, const void* from, size_t bytes) {
  const bool takes = cudaGraphExecMemcpyNodeSetParams1D(exec, copy, to, from, bytes,
                                                        cudaMemcpyDeviceToDevice) == cudaSuccess;
  if (!takes) (void)cudaGetLastError();
  const bool was_left_out = std::ranges::find(left_out, copy) != left_out.end();
  if (takes == !was_left_out) return takes;
  REPRISE_CUDA_CHECK(cudaGraphNodeSetEnabled(exec, copy, takes ? 1 : 0));
  if (takes)
    std::erase(left_out, copy);
  else
    left_out.push_back(copy);
  return takes;
}

cudaStream_t StreamCaptures::begin(int device) {
  std::unique_lock lock(capture_lock());
  cudaStream_t& stream = streams_[static_cast<size_t>(device)];
  if (stream == nullptr) {
    REPRISE_CUDA_CHECK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, 0));
  }
  // As the mode of the capture: the first kernel of a library may load its code, and other threads
  // may allocate. As that of this thread: it may do so, too, while others capture.
  auto relaxed = std::make_unique<RelaxedCapture>();
  REPRISE_CUDA_CHECK(cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed));
  relaxed_ = std::move(relaxed);
  lock.release();  // until the end
  return stream;
}

CapturedGraph StreamCaptures::end(int device, cudaStream_t stream) noexcept {
  const std::lock_guard lock(capture_lock(), std::adopt_lock);
  const std::unique_ptr<RelaxedCapture> relaxed = std::move(relaxed_);
  try {
    auto made = std::make_unique<Graph>();
    const cudaError_t status = cudaStreamEndCapture(stream, &made->graph);
    if (status != cudaSuccess) leave(device);
    check_status(status, "cudaStreamEndCapture");
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaGraphInstantiate(&made->exec, made->graph, 0));
    const int64_t kernels = made->kernels();
    return {made.release(), kernels, {}};
  } catch (...) {
    (void)cudaGetLastError();
    return {nullptr, 0, std::current_exception()};
  }
}

/// A stream that cannot be got out of a capture is given up.
void StreamCaptures::leave(int device) {
  cudaStream_t& stream = streams_[static_cast<size_t>(device)];
  cudaStreamCaptureStatus status{};
  const cudaError_t known = cudaStreamIsCapturing(stream, &status);
  if (known != cudaSuccess || status != cudaStreamCaptureStatusNone) stream = nullptr;
}

}  // namespace reprise::cuda
