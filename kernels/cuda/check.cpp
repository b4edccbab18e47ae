#include "check.h"

#include <atomic>
#include <cstdlib>

namespace reprise::cuda {
namespace {

/// "cublasLtMatmul" of "blas().cublasLtMatmul(handle, ...)".
std::string_view called(std::string_view call) {
  if (const size_t table = call.find("()."); table != call.npos) call.remove_prefix(table + 3);
  return call.substr(0, call.find('('));
}

/// Errors of a kernel, which stay with the process: everything after them fails, too.
bool is_sticky(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure: return true;
    default: return false;
  }
}

/// Whether the call that returns it tells what happened before. When kernels are waited for one by
/// one, the first to fail is told by the launch that waits for it.
bool is_late(cudaError_t status) {
  static std::atomic<bool> is_lost = false;
  if (is_sticky(status)) return is_lost.exchange(true) || !waits_for_kernels();
  return status == cudaErrorStreamCaptureInvalidated;
}

}  // namespace

void fail_status(ErrorKind kind, std::string_view call, std::string_view status,
                 std::string_view meaning) {
  throw CudaError(kind, text(called(call), ": ", status, ", ", meaning), true);
}

void fail_status(cudaError_t status, std::string_view call) {
  (void)cudaGetLastError();  // an error that can be got over must not meet the next call
  const std::string_view name = cudaGetErrorName(status);
  std::string meaning = cudaGetErrorString(status);
  if (is_sticky(status)) {
    meaning += "; a kernel failed, and the device is lost to this process";
    if (!waits_for_kernels()) meaning += "; REPRISE_CUDA_SYNC=1 makes the error name its op";
  }
  const bool memory = status == cudaErrorMemoryAllocation;
  CudaError error(memory ? ErrorKind::OutOfMemory : ErrorKind::Device,
                  text(called(call), ": ", name, ", ", meaning), false);
  if (!is_late(status)) throw error;
  error.set_late();
  throw Error(error);
}

bool waits_for_kernels() {
  static const bool waits = [] {
    const char* const value = std::getenv("REPRISE_CUDA_SYNC");
    return value != nullptr && std::string_view(value) == "1";
  }();
  return waits;
}

}  // namespace reprise::cuda
