#include "libraries.h"

#include <dlfcn.h>

#include <string>

namespace reprise::cuda {
namespace {

/// Found as the system finds libraries, or where they lay when this was built. Never closed.
class LibraryFile {
 public:
  explicit LibraryFile(std::string name) : name_(std::move(name)) {
    handle_ = dlopen(name_.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) return;
    const char* const reason = dlerror();
    const std::string why = reason == nullptr ? "" : reason;
    handle_ = dlopen((REPRISE_CUDA_LIBRARY_DIR "/" + name_).c_str(), RTLD_NOW | RTLD_LOCAL);
    check(handle_ != nullptr, ErrorKind::Device, "cuda: cannot load ", name_, ": ", why);
  }

  template <class F>
  void find(F*& function, const char* symbol) const {
    function = reinterpret_cast<F*>(dlsym(handle_, symbol));
    check(function != nullptr, ErrorKind::Device, "cuda: ", name_, " has no function ", symbol);
  }

 private:
  std::string name_;
  void* handle_;
};

}  // namespace

#define REPRISE_FIND(name) file.find(library.name, #name);

const BlasLibrary& blas() {
  if (const BlasLibrary* played = played_blas) return *played;
  static const BlasLibrary found = [] {
    const LibraryFile file(text("libcublasLt.so.", CUBLAS_VER_MAJOR));
    BlasLibrary library{};
    REPRISE_CUBLASLT_FUNCTIONS(REPRISE_FIND)
    return library;
  }();
  return found;
}

const NvrtcLibrary& nvrtc() {
  static const NvrtcLibrary found = [] {
    const LibraryFile file(text("libnvrtc.so.", CUDART_VERSION / 1000));
    NvrtcLibrary library{};
    REPRISE_NVRTC_FUNCTIONS(REPRISE_FIND)
    return library;
  }();
  return found;
}

void check_status(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) [[likely]]
    return;
  const bool memory = status == CUBLAS_STATUS_ALLOC_FAILED;
  fail_status(memory ? ErrorKind::OutOfMemory : ErrorKind::Device, call,
              blas().cublasLtGetStatusName(status), blas().cublasLtGetStatusString(status));
}

void check_status(nvrtcResult status, const char* call) {
  if (status == NVRTC_SUCCESS) [[likely]]
    return;
  fail_status(ErrorKind::Device, call, text("status ", static_cast<int>(status)),
              nvrtc().nvrtcGetErrorString(status));
}

#if defined(REPRISE_HAS_CUDNN)

const DnnLibrary& dnn() {
  if (const DnnLibrary* played = played_dnn) return *played;
  static const DnnLibrary found = [] {
    const LibraryFile file(text("libcudnn.so.", CUDNN_MAJOR));
    DnnLibrary library{};
    REPRISE_CUDNN_FUNCTIONS(REPRISE_FIND)
    return library;
  }();
  return found;
}

void check_status(cudnnStatus_t status, const char* call) {
  if (status == CUDNN_STATUS_SUCCESS) [[likely]]
    return;
  char details[512] = "";
  dnn().cudnnGetLastErrorString(details, sizeof details);
  const bool memory = status == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED ||
                      status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED;
  fail_status(memory ? ErrorKind::OutOfMemory : ErrorKind::Device, call,
              dnn().cudnnGetErrorString(status), details);
}

#endif

#undef REPRISE_FIND

}  // namespace reprise::cuda
