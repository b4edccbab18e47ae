#include "handles.h"

#include <map>
#include <mutex>
#include <vector>

#include "on_device.h"
#include "stream_captures.h"

namespace reprise::cuda {
namespace {

/// The handles that no thread has, by device.
template <class Handle>
struct Spare {
  std::mutex mutex;
  std::map<int, std::vector<Handle>> handles;

  static Spare& all() {
    static Spare& spare = *new Spare;
    return spare;
  }
};

/// The handles of one thread.
template <class Handle>
class Lease {
 public:
  Lease() = default;
  Lease(const Lease&) = delete;
  ~Lease() {
    Spare<Handle>& spare = Spare<Handle>::all();
    std::lock_guard lock(spare.mutex);
    for (const auto& [device, handle] : mine_) spare.handles[device].push_back(handle);
  }

  template <class Make>
  Handle get(int device, Make make) {
    const auto at = mine_.find(device);
    if (at != mine_.end()) return at->second;
    Handle handle = take_spare(device);
    if (handle == nullptr) {
      const std::lock_guard lock(capture_lock());
      make(&handle);
    }
    mine_.emplace(device, handle);
    return handle;
  }

 private:
  static Handle take_spare(int device) {
    Spare<Handle>& spare = Spare<Handle>::all();
    std::lock_guard lock(spare.mutex);
    std::vector<Handle>& handles = spare.handles[device];
    if (handles.empty()) return nullptr;
    const Handle handle = handles.back();
    handles.pop_back();
    return handle;
  }

  std::map<int, Handle> mine_;
};

/// Compute capability 7.5 is the oldest that the libraries of CUDA 13 take. No device suits none.
bool suits_libraries() {
  int device = 0, major = 0, minor = 0;
  const bool known =
      cudaGetDevice(&device) == cudaSuccess &&
      cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess &&
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device) == cudaSuccess;
  if (!known) (void)cudaGetLastError();
  return known && major * 10 + minor >= 75;
}

template <class Load>
bool loads(Load load) {
  try {
    load();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

bool has_blas() {
  if (played_blas != nullptr) return true;
  if (!suits_libraries()) return false;
  static const bool found = loads([] { (void)blas_handle(); });
  return found;
}

bool has_dnn() {
#if defined(REPRISE_HAS_CUDNN)
  if (played_dnn != nullptr) return true;
  if (!suits_libraries()) return false;
  static const bool found = loads([] { (void)dnn_handle(); });  // loads the parts of cuDNN
  return found;
#else
  return false;
#endif
}

bool has_nvrtc() {
  if (!suits_libraries()) return false;
  static const bool found = loads([] { (void)nvrtc(); });
  return found;
}

cublasLtHandle_t blas_handle() {
  thread_local Lease<cublasLtHandle_t> lease;
  return lease.get(current_device(), [](cublasLtHandle_t* handle) {
    REPRISE_CUDA_CHECK(blas().cublasLtCreate(handle));
  });
}

#if defined(REPRISE_HAS_CUDNN)

cudnnHandle_t dnn_handle() {
  thread_local Lease<cudnnHandle_t> lease;
  return lease.get(current_device(),
                   [](cudnnHandle_t* made) { REPRISE_CUDA_CHECK(dnn().cudnnCreate(made)); });
}

cudnnHandle_t dnn_handle(cudaStream_t stream) {
  const cudnnHandle_t handle = dnn_handle();
  REPRISE_CUDA_CHECK(dnn().cudnnSetStream(handle, stream));
  return handle;
}

#endif

}  // namespace reprise::cuda
