// core's DeviceRuntime in terms of the CUDA runtime, which is linked statically: a program starts
// as it is where there is no driver, and finds no device.

#include "../../core/device_runtime.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "../../core/op.h"
#include "architectures.h"
#include "index_fault.h"
#include "memory.h"
#include "on_device.h"
#include "stream_captures.h"

namespace reprise::cuda {
namespace {

cudaStream_t stream_of(void* stream) { return static_cast<cudaStream_t>(stream); }
cudaEvent_t event_of(void* event) { return static_cast<cudaEvent_t>(event); }

/// Of cudaStreamQuery and cudaEventQuery.
bool is_ready(cudaError_t status, const char* call) {
  if (status == cudaErrorNotReady) {
    (void)cudaGetLastError();
    return false;
  }
  check_status(status, call);
  return true;
}

cudaMemcpyKind kind_of(Device to, Device from) {
  if (to.kind == Device::Kind::cpu) return cudaMemcpyDeviceToHost;
  return from.kind == Device::Kind::cpu ? cudaMemcpyHostToDevice : cudaMemcpyDeviceToDevice;
}

/// Libraries tell of nothing but a failure.
bool hides_a_spoilt_capture(const CudaError& error, cudaStream_t stream) {
  cudaStreamCaptureStatus status{};
  return error.is_of_library() && cudaStreamIsCapturing(stream, &status) == cudaSuccess &&
         status == cudaStreamCaptureStatusInvalidated;
}

class CudaRuntime final : public DeviceRuntime {
 public:
  explicit CudaRuntime(int devices) : devices_(devices), memory_(devices), captures_(devices) {}

  int device_count() override { return devices_; }

  DeviceProperties properties(int device) override {
    cudaDeviceProp p{};
    REPRISE_CUDA_CHECK(cudaGetDeviceProperties(&p, device));
    return {p.name,
            p.major,
            p.minor,
            p.multiProcessorCount,
            static_cast<int64_t>(p.totalGlobalMem),
            p.l2CacheSize,
            static_cast<int64_t>(p.sharedMemPerBlockOptin)};
  }

  std::string why_not(int device) override {
    try {
      const DeviceProperties of = properties(device);
      const std::string reason = reason_against_capability(10 * of.major + of.minor);
      return reason.empty() ? reason : text(of.name, " has ", reason);
    } catch (const Error& error) {  // a device that does not answer
      return error.what();
    }
  }

  void* allocate(int device, size_t bytes, void* stream) override {
    return memory_.allocate(device, bytes, stream_of(stream));
  }
  void deallocate(int device, void* block, void* stream) noexcept override {
    memory_.deallocate(device, block, stream_of(stream));
  }
  MemoryInfo memory(int device) override { return free_and_total(device); }
  int64_t reserved(int device) noexcept override { return memory_.reserved(device); }
  void trim(int device) override { memory_.trim(device); }

  void* allocate_pinned(size_t bytes) override {
    void* block = nullptr;
    const cudaError_t status = cudaHostAlloc(&block, bytes, cudaHostAllocPortable);
    if (status == cudaErrorMemoryAllocation) (void)cudaGetLastError();
    if (status != cudaErrorMemoryAllocation) check_status(status, "cudaHostAlloc");
    return block;
  }
  void deallocate_pinned(void* block) noexcept override { (void)cudaFreeHost(block); }

  void* make_stream(int device, int priority) override {
    const OnDevice on(device);
    int least = 0, greatest = 0;  // the greatest priority is the lowest number
    REPRISE_CUDA_CHECK(cudaDeviceGetStreamPriorityRange(&least, &greatest));
    cudaStream_t stream = nullptr;
    REPRISE_CUDA_CHECK(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking,
                                                    std::clamp(priority, greatest, least)));
    return stream;
  }
  bool is_done(int device, void* stream) override {
    const OnDevice on(device);
    return is_ready(cudaStreamQuery(stream_of(stream)), "cudaStreamQuery");
  }
  void synchronize(int device, void* stream) override {
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaStreamSynchronize(stream_of(stream)));
  }
  void synchronize(int device) override {
    const std::lock_guard lock(capture_lock());
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaDeviceSynchronize());
  }
  void throw_fault(int device) override { throw_index_fault(device); }

  void* make_event(int device, bool timing) override {
    const OnDevice on(device);
    cudaEvent_t event = nullptr;
    const unsigned flags = timing ? cudaEventDefault : cudaEventDisableTiming;
    REPRISE_CUDA_CHECK(cudaEventCreateWithFlags(&event, flags));
    return event;
  }
  void destroy_event(int, void* event) noexcept override {
    (void)cudaEventDestroy(event_of(event));
  }
  void record_event(int device, void* event, void* stream) override {
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaEventRecord(event_of(event), stream_of(stream)));
  }
  void wait_event(int device, void* stream, void* event) override {
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaStreamWaitEvent(stream_of(stream), event_of(event), 0));
  }
  bool is_event_done(int, void* event) override {
    return is_ready(cudaEventQuery(event_of(event)), "cudaEventQuery");
  }
  void synchronize_event(int, void* event) override {
    REPRISE_CUDA_CHECK(cudaEventSynchronize(event_of(event)));
  }
  double elapsed_time(int, void* start, void* end) override {
    float milliseconds = 0;
    REPRISE_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, event_of(start), event_of(end)));
    return static_cast<double>(milliseconds);
  }

  void copy(MemoryPlace to, MemoryPlace from, size_t bytes, void* stream) override {
    const bool from_cuda = from.device.kind == Device::Kind::cuda;
    const OnDevice on((from_cuda ? from : to).device.index);
    if (from_cuda && to.device.kind == Device::Kind::cuda && from.device != to.device) {
      REPRISE_CUDA_CHECK(cudaMemcpyPeerAsync(to.data, to.device.index, from.data, from.device.index,
                                             bytes, stream_of(stream)));
    } else {
      REPRISE_CUDA_CHECK(cudaMemcpyAsync(to.data, from.data, bytes, kind_of(to.device, from.device),
                                         stream_of(stream)));
    }
  }

  void launch(const OpBase& op, const Launch& launch, int device) override {
    const cudaStream_t stream = stream_of(launch.stream.handle);
    try {
      const OnDevice on(device);
      op.launch(Device::cuda(device), launch);
      wait_if_asked(device, stream);
    } catch (const CudaError& error) {
      Error named(error.kind(), text(op.name(), ": ", error.what()));
      if (hides_a_spoilt_capture(error, stream)) named.set_late();
      throw named;
    }
  }

  void* begin_capture(int device) override {
    const OnDevice on(device);
    return captures_.begin(device);
  }
  CapturedGraph end_capture(int device, void* stream) noexcept override {
    return captures_.end(device, stream_of(stream));
  }
  void* captured_copy(int device, void* stream) override {
    const OnDevice on(device);
    return last_captured(stream_of(stream));
  }
  bool set_copy(int device, void* graph, void* copy, void* to, const void* from,
                size_t bytes) override {
    const OnDevice on(device);
    return graph_of(graph).set_copy(static_cast<cudaGraphNode_t>(copy), to, from, bytes);
  }
  void launch_graph(int device, void* graph, void* stream) override {
    const OnDevice on(device);
    REPRISE_CUDA_CHECK(cudaGraphLaunch(graph_of(graph).exec, stream_of(stream)));
    wait_if_asked(device, stream_of(stream));
  }
  void destroy_graph(int, void* graph) noexcept override { delete &graph_of(graph); }

 private:
  void wait_if_asked(int device, cudaStream_t stream) {
    if (!waits_for_kernels() || capture_status(stream) != cudaStreamCaptureStatusNone) return;
    REPRISE_CUDA_CHECK(cudaStreamSynchronize(stream));
    throw_fault(device);
  }

  const int devices_;
  DeviceMemory memory_;
  StreamCaptures captures_;
};

std::string version_text(int version) { return text(version / 1000, ".", version % 1000 / 10); }

/// Both a missing and an old driver are "insufficient" to CUDA.
std::string driver_reason() {
  int driver = 0;
  (void)cudaDriverGetVersion(&driver);
  if (driver == 0) return "no NVIDIA driver is installed on this machine";
  return text("the NVIDIA driver is too old: it offers CUDA ", version_text(driver),
              ", this build needs ", version_text(CUDART_VERSION));
}

}  // namespace
}  // namespace reprise::cuda

namespace reprise {

FoundRuntime find_device_runtime() {
  int devices = 0;
  const cudaError_t status = cudaGetDeviceCount(&devices);
  (void)cudaGetLastError();
  if (status == cudaErrorInsufficientDriver) return {nullptr, cuda::driver_reason()};
  if (status == cudaErrorNoDevice || (status == cudaSuccess && devices == 0)) {
    return {nullptr, "the NVIDIA driver finds no device (CUDA_VISIBLE_DEVICES may hide it)"};
  }
  if (status != cudaSuccess) {
    return {nullptr, text("CUDA does not start: ", cudaGetErrorString(status))};
  }
  return {new cuda::CudaRuntime(devices), {}};  // never destroyed: tensors may outlive any order
}

}  // namespace reprise
