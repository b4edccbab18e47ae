// The part of CUDA's runtime that kernels/cuda calls, for one device that lies in the host's
// memory. New memory is filled with NaN. The device has compute capability 0.0, which none of
// NVIDIA's libraries takes, so our own kernels run.

#include <cuda_runtime.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "calls.h"
#include "queue.h"

struct CUstream_st {
  bool captures = false;
  std::atomic<bool> spoilt = false;
  cudaGraph_t graph = nullptr;
};
struct CUmemPoolHandle_st {
  std::atomic<uint64_t> used = 0, threshold = 0;  // what is freed is not kept
};
struct CUevent_st {
  bool recorded = false;
};
struct CUgraphNode_st {
  reprise::emulator::Work work;
  bool is_copy;
};
struct CUgraph_st {
  std::list<CUgraphNode_st> nodes;  // they keep their places
};
struct CUgraphExec_st {
  struct Step {
    cudaGraphNode_t node;
    reprise::emulator::Work work;
    bool enabled = true;
  };
  std::vector<Step> steps;
};

namespace reprise::emulator {
namespace {

constexpr size_t kTotalBytes = size_t{2} << 30;
thread_local cudaError_t last_error = cudaSuccess;

/// The streams that are captured.
struct Captures {
  struct Capture {
    cudaStream_t stream;
    std::thread::id thread;
    cudaStreamCaptureMode mode;
  };
  std::mutex mutex;
  std::vector<Capture> all;

  static Captures& get() {
    static Captures& captures = *new Captures;
    return captures;
  }
};
/// How this thread treats captures.
thread_local cudaStreamCaptureMode thread_mode = cudaStreamCaptureModeGlobal;

struct Block {
  size_t bytes;
  cudaMemPool_t pool;  // null: none
};

struct Memory {
  std::mutex mutex;
  std::map<void*, Block> blocks;
  size_t used = 0;

  static Memory& get() {
    static Memory& memory = *new Memory;
    return memory;
  }
};

void* host_block(size_t bytes) {
  void* const block = std::aligned_alloc(256, (std::max<size_t>(bytes, 1) + 255) / 256 * 256);
  if (block != nullptr) std::memset(block, 0xFF, bytes);
  return block;
}

cudaError_t allocate(void** block, size_t bytes, cudaMemPool_t pool = nullptr) {
  Memory& memory = Memory::get();
  const std::lock_guard lock(memory.mutex);
  if (bytes > kTotalBytes - memory.used) return keep_error(cudaErrorMemoryAllocation);
  *block = host_block(bytes);
  if (*block == nullptr) return keep_error(cudaErrorMemoryAllocation);
  memory.blocks[*block] = {bytes, pool};
  memory.used += bytes;
  if (pool != nullptr) pool->used += bytes;
  return cudaSuccess;
}

bool is_on_device(const void* place) {
  Memory& memory = Memory::get();
  const std::lock_guard lock(memory.mutex);
  const auto behind = memory.blocks.upper_bound(const_cast<void*>(place));
  if (behind == memory.blocks.begin()) return false;
  const auto& [begin, block] = *std::prev(behind);
  return static_cast<const std::byte*>(place) < static_cast<const std::byte*>(begin) + block.bytes;
}

cudaError_t deallocate(void* block) {
  if (block == nullptr) return cudaSuccess;
  Memory& memory = Memory::get();
  const std::lock_guard lock(memory.mutex);
  const auto entry = memory.blocks.extract(block);
  if (entry.empty()) return keep_error(cudaErrorInvalidValue);
  const auto [bytes, pool] = entry.mapped();
  memory.used -= bytes;
  if (pool != nullptr) pool->used -= bytes;
  std::free(block);
  return cudaSuccess;
}

/// What a stream that is captured must not be asked; the capture is lost.
cudaError_t refuse_capture(cudaStream_t stream) {
  if (stream == nullptr || !stream->captures) return cudaSuccess;
  stream->spoilt = true;
  return keep_error(cudaErrorStreamCaptureUnsupported);
}
/// A call that must not meet such captures, which are lost.
template <class Predicate>
cudaError_t refuse_captures(Predicate meets) {
  Captures& captures = Captures::get();
  const std::lock_guard lock(captures.mutex);
  bool refused = false;
  for (const Captures::Capture& capture : captures.all) {
    if (!meets(capture)) continue;
    capture.stream->spoilt = refused = true;
  }
  return refused ? keep_error(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}
/// What CUDA calls potentially unsafe: allocations that are not in the order of a stream.
cudaError_t refuse_unsafe() {
  if (thread_mode == cudaStreamCaptureModeRelaxed) return cudaSuccess;
  return refuse_captures([](const Captures::Capture& c) {
    if (c.thread == std::this_thread::get_id()) return c.mode != cudaStreamCaptureModeRelaxed;
    return c.mode == cudaStreamCaptureModeGlobal && thread_mode == cudaStreamCaptureModeGlobal;
  });
}

}  // namespace

namespace {

std::atomic<bool> records_calls = false;
std::atomic<int64_t> calls_to_refused = 0, queued = 0;
std::mutex calls_mutex;
std::vector<std::string> calls;

}  // namespace

std::vector<std::string> calls_of(const std::function<void()>& f) {
  records_calls = true;
  f();
  records_calls = false;
  const std::lock_guard lock(calls_mutex);
  return std::exchange(calls, {});
}

void refuse_call(int64_t n) { calls_to_refused = n; }
bool was_refused() { return calls_to_refused.exchange(0) < 0; }

int64_t work_queued() { return queued; }

bool refuses(const char* call) {
  if (records_calls) {
    const std::lock_guard lock(calls_mutex);
    calls.emplace_back(call);
  }
  if (calls_to_refused <= 0 || --calls_to_refused > 0) return false;
  calls_to_refused = -1;
  return true;
}

cudaError_t keep_error(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t enqueue(cudaStream_t stream, Work work) {
  ++queued;
  if (stream != nullptr && stream->captures) {
    if (stream->spoilt) return keep_error(cudaErrorStreamCaptureInvalidated);
    stream->graph->nodes.push_back({std::move(work), false});
    return cudaSuccess;
  }
  return keep_error(work());
}

Work copying(void* to, const void* from, size_t bytes) {
  return [=] { return std::memmove(to, from, bytes), cudaSuccess; };
}

}  // namespace reprise::emulator

using namespace reprise::emulator;

extern "C" {

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorName(cudaError_t status) {
  switch (status) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorMisalignedAddress: return "cudaErrorMisalignedAddress";
    case cudaErrorLaunchTimeout: return "cudaErrorLaunchTimeout";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    default: return "another status";
  }
}
const char* cudaGetErrorString(cudaError_t status) {
  return status == cudaErrorInvalidValue ? "invalid argument" : cudaGetErrorName(status);
}

cudaError_t cudaDriverGetVersion(int* version) { return *version = CUDART_VERSION, cudaSuccess; }
cudaError_t cudaGetDeviceCount(int* count) { return *count = 1, cudaSuccess; }
cudaError_t cudaGetDevice(int* device) {
  REPRISE_EMULATED_CALL;
  return *device = 0, cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  REPRISE_EMULATED_CALL;
  return device == 0 ? cudaSuccess : keep_error(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  REPRISE_EMULATED_CALL;
  *p = {};
  std::strcpy(p->name, "emulated");
  p->multiProcessorCount = 2;
  p->totalGlobalMem = kTotalBytes;
  p->l2CacheSize = 1 << 20;
  p->sharedMemPerBlockOptin = 227 << 10;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  switch (attribute) {
    case cudaDevAttrMemoryPoolsSupported: *value = 1; return cudaSuccess;
    case cudaDevAttrMultiProcessorCount: *value = 2; return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 << 10; return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
    case cudaDevAttrComputeCapabilityMinor: *value = 0; return cudaSuccess;
    default: return keep_error(cudaErrorInvalidValue);
  }
}
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  return *least = 0, *greatest = -5, cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  REPRISE_EMULATED_CALL;
  return refuse_captures([](const Captures::Capture&) { return true; });
}

cudaError_t cudaMalloc(void** block, size_t bytes) {
  REPRISE_EMULATED_CALL;
  const cudaError_t refused = refuse_unsafe();
  return refused == cudaSuccess ? allocate(block, bytes) : refused;
}
cudaError_t cudaFree(void* block) {
  const cudaError_t refused = refuse_unsafe();
  return refused == cudaSuccess ? deallocate(block) : refused;
}
cudaError_t cudaMallocFromPoolAsync(void** block, size_t bytes, cudaMemPool_t pool, cudaStream_t) {
  REPRISE_EMULATED_CALL;
  return allocate(block, bytes, pool);
}
cudaError_t cudaFreeAsync(void* block, cudaStream_t) { return deallocate(block); }
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  Memory& memory = Memory::get();
  const std::lock_guard lock(memory.mutex);
  return *free = kTotalBytes - memory.used, *total = kTotalBytes, cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  static CUmemPoolHandle_st& of_the_device = *new CUmemPoolHandle_st;
  return *pool = &of_the_device, cudaSuccess;
}
cudaError_t cudaMemPoolCreate(cudaMemPool_t* pool, const cudaMemPoolProps* properties) {
  const bool fits = properties->location.type == cudaMemLocationTypeDevice &&
                    properties->location.id == 0 &&
                    properties->allocType == cudaMemAllocationTypePinned;
  if (!fits) return keep_error(cudaErrorInvalidValue);
  return *pool = new CUmemPoolHandle_st, cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  if (attribute != cudaMemPoolAttrReleaseThreshold) return keep_error(cudaErrorInvalidValue);
  return pool->threshold = *static_cast<uint64_t*>(value), cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  const bool asks_threshold = attribute == cudaMemPoolAttrReleaseThreshold;
  *static_cast<uint64_t*>(value) = (asks_threshold ? pool->threshold : pool->used).load();
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) { return cudaSuccess; }
cudaError_t cudaHostAlloc(void** block, size_t bytes, unsigned) {
  if (const cudaError_t refused = refuse_unsafe(); refused != cudaSuccess) return refused;
  *block = host_block(bytes);
  return *block == nullptr ? keep_error(cudaErrorMemoryAllocation) : cudaSuccess;
}
cudaError_t cudaFreeHost(void* block) { return std::free(block), cudaSuccess; }

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind,
                            cudaStream_t stream) {
  REPRISE_EMULATED_CALL;
  const cudaError_t status = enqueue(stream, copying(to, from, bytes));
  if (status != cudaSuccess || stream == nullptr || !stream->captures) return status;
  stream->graph->nodes.back().is_copy = true;
  return status;
}
cudaError_t cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes,
                                cudaStream_t stream) {
  return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  REPRISE_EMULATED_CALL;
  return enqueue(stream, [=] { return std::memset(to, value, bytes), cudaSuccess; });
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
  REPRISE_EMULATED_CALL;
  return *stream = new CUstream_st, cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return *stream = new CUstream_st, cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) {
  return *stream = new CUstream_st, cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return delete stream, cudaSuccess; }
cudaError_t cudaStreamQuery(cudaStream_t stream) { return refuse_capture(stream); }
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  REPRISE_EMULATED_CALL;
  return refuse_capture(stream);
}
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) {
  REPRISE_EMULATED_CALL;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  REPRISE_EMULATED_CALL;
  return *event = new CUevent_st, cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) { return delete event, cudaSuccess; }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  REPRISE_EMULATED_CALL;
  return event->recorded = true, cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t, cudaEvent_t) {
  return *milliseconds = 0.001F, cudaSuccess;
}

// There is no machine code to load.
cudaError_t cudaLibraryLoadData(cudaLibrary_t*, const void*, cudaJitOption*, void**, unsigned,
                                cudaLibraryOption*, void**, unsigned) {
  return keep_error(cudaErrorNotSupported);
}
cudaError_t cudaLibraryGetKernel(cudaKernel_t*, cudaLibrary_t, const char*) {
  return keep_error(cudaErrorNotSupported);
}
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t*, const void*, void**) {
  return keep_error(cudaErrorNotSupported);
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  REPRISE_EMULATED_CALL;
  if (stream == nullptr || stream->captures) return keep_error(cudaErrorStreamCaptureUnsupported);
  {
    const std::lock_guard lock(Captures::get().mutex);
    Captures::get().all.push_back({stream, std::this_thread::get_id(), mode});
  }
  stream->captures = true;
  stream->spoilt = false;
  stream->graph = new CUgraph_st;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (!stream->captures) return keep_error(cudaErrorIllegalState);
  if (::reprise::emulator::refuses(__func__)) stream->spoilt = true;  // it ends all the same
  {
    const std::lock_guard lock(Captures::get().mutex);
    std::erase_if(Captures::get().all, [&](const auto& c) { return c.stream == stream; });
  }
  stream->captures = false;
  *graph = std::exchange(stream->graph, nullptr);
  if (!stream->spoilt) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return keep_error(cudaErrorStreamCaptureInvalidated);
}
cudaError_t cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
  return std::swap(*mode, thread_mode), cudaSuccess;
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  REPRISE_EMULATED_CALL;
  *status = stream == nullptr || !stream->captures ? cudaStreamCaptureStatusNone
            : stream->spoilt                       ? cudaStreamCaptureStatusInvalidated
                                                   : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                     unsigned long long*, cudaGraph_t*,
                                     const cudaGraphNode_t** last, const cudaGraphEdgeData**,
                                     size_t* count) {
  REPRISE_EMULATED_CALL;
  thread_local cudaGraphNode_t node = nullptr;
  (void)cudaStreamIsCapturing(stream, status);
  *count = *status == cudaStreamCaptureStatusActive && !stream->graph->nodes.empty() ? 1 : 0;
  if (*count == 1) node = &stream->graph->nodes.back();
  return *last = &node, cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  REPRISE_EMULATED_CALL;
  *exec = new CUgraphExec_st;
  for (CUgraphNode_st& node : graph->nodes) (*exec)->steps.push_back({&node, node.work});
  return cudaSuccess;
}
cudaError_t cudaGraphExecMemcpyNodeSetParams1D(cudaGraphExec_t exec, cudaGraphNode_t copy, void* to,
                                               const void* from, size_t bytes, cudaMemcpyKind) {
  REPRISE_EMULATED_CALL;
  if (!is_on_device(to) || !is_on_device(from)) return keep_error(cudaErrorInvalidValue);
  for (auto& [node, work, enabled] : exec->steps) {
    if (node == copy && node->is_copy) return work = copying(to, from, bytes), cudaSuccess;
  }
  return keep_error(cudaErrorInvalidValue);
}
cudaError_t cudaGraphNodeSetEnabled(cudaGraphExec_t exec, cudaGraphNode_t which, unsigned on) {
  REPRISE_EMULATED_CALL;
  for (auto& [node, work, enabled] : exec->steps) {
    if (node == which) return enabled = on != 0, cudaSuccess;
  }
  return keep_error(cudaErrorInvalidValue);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  REPRISE_EMULATED_CALL;
  for (const auto& [node, work, enabled] : exec->steps) {
    const cudaError_t status = enabled ? enqueue(stream, work) : cudaSuccess;
    if (status != cudaSuccess) return status;
  }
  return cudaSuccess;
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  REPRISE_EMULATED_CALL;
  *count = graph->nodes.size();
  for (CUgraphNode_st& node : graph->nodes) {
    if (nodes != nullptr) *nodes++ = &node;
  }
  return cudaSuccess;
}
cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType* type) {
  REPRISE_EMULATED_CALL;
  return *type = node->is_copy ? cudaGraphNodeTypeMemcpy : cudaGraphNodeTypeKernel, cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return delete graph, cudaSuccess; }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) { return delete exec, cudaSuccess; }

}  // extern "C"
