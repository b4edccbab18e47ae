#pragma once
// Status checks: `REPRISE_CUDA_CHECK(cudaMemsetAsync(...))`, and after a launch
// `REPRISE_CUDA_CHECK(cudaGetLastError())`. libraries.h adds the statuses of cuBLASLt, cuDNN and
// NVRTC.

#include <cuda_runtime.h>

#include <string_view>

#include "../../core/error.h"

namespace reprise::cuda {

/// An Error of a CUDA library rather than of the caller: the launch puts the op's name in front.
struct CudaError : Error {
  CudaError(ErrorKind kind, std::string message, bool of_library)
      : Error(kind, std::move(message)), is_of_library_(of_library) {}
  /// Not of CUDA's runtime, whose statuses say more.
  bool is_of_library() const noexcept { return is_of_library_; }

 private:
  bool is_of_library_;
};

/// Of a library: "cublasLtMatmul: CUBLAS_STATUS_NOT_SUPPORTED, ..."
[[noreturn]] void fail_status(ErrorKind kind, std::string_view call, std::string_view status,
                              std::string_view meaning);
/// "cudaMemsetAsync: cudaErrorInvalidValue, invalid argument"; a plain Error, which is late, when
/// it happened before that call.
[[noreturn]] void fail_status(cudaError_t status, std::string_view call);

inline void check_status(cudaError_t status, const char* call) {
  if (status != cudaSuccess) [[unlikely]]
    fail_status(status, call);
}

/// Whether kernels are waited for one by one (REPRISE_CUDA_SYNC=1), so that failures name their op.
bool waits_for_kernels();

}  // namespace reprise::cuda

#define REPRISE_CUDA_CHECK(call) ::reprise::cuda::check_status((call), #call)
