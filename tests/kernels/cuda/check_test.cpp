// Statuses as errors, and the libraries that are loaded: none of it needs a device.

#include "../../../kernels/cuda/check.h"

#include "../../../core/cuda.h"
#include "../../../kernels/cuda/architectures.h"
#include "../../../kernels/cuda/handles.h"
#include "../../core/expect.h"

namespace reprise::cuda {
namespace {

using test::expect_error;

cudaError_t give(cudaError_t status) { return status; }

TEST(CudaCheck, NamesCallAndStatus) {
  REPRISE_CUDA_CHECK(give(cudaSuccess));
  expect_error([] { REPRISE_CUDA_CHECK(give(cudaErrorInvalidValue)); }, ErrorKind::Device,
               {"give: cudaErrorInvalidValue, invalid argument"});
  expect_error([] { REPRISE_CUDA_CHECK(give(cudaErrorMemoryAllocation)); }, ErrorKind::OutOfMemory,
               {"give: cudaErrorMemoryAllocation"});
  expect_error([] { REPRISE_CUDA_CHECK(give(cudaErrorIllegalAddress)); }, ErrorKind::Device,
               {"give: cudaErrorIllegalAddress", "REPRISE_CUDA_SYNC=1"});
}

TEST(CudaCheck, SaysWhetherTheCallIsToBlame) {
  const auto is_late = [](cudaError_t status) {
    try {
      REPRISE_CUDA_CHECK(give(status));
    } catch (Error& error) {
      const std::string before = error.what();
      error.prepend("a_layer");
      error.append(" and more");
      EXPECT_EQ(error.what() == before, error.is_late()) << error.what();
      EXPECT_EQ(dynamic_cast<CudaError*>(&error) == nullptr,
                error.is_late());  // op's name in front
      return error.is_late();
    }
    return false;
  };
  for (const cudaError_t status :
       {cudaErrorIllegalAddress, cudaErrorLaunchFailure, cudaErrorStreamCaptureInvalidated}) {
    EXPECT_TRUE(is_late(status)) << cudaGetErrorName(status);
  }
  for (const cudaError_t status : {cudaErrorInvalidValue, cudaErrorStreamCaptureUnsupported,
                                   cudaErrorStreamCaptureUnjoined, cudaErrorMemoryAllocation}) {
    EXPECT_FALSE(is_late(status)) << cudaGetErrorName(status);
  }
}

TEST(CudaCheck, LeavesNoErrorBehind) {
  EXPECT_ANY_THROW(REPRISE_CUDA_CHECK(cudaSetDevice(-7)));
  const cudaError_t left = cudaPeekAtLastError();
  EXPECT_TRUE(left == cudaSuccess || !is_available()) << cudaGetErrorName(left);
}

TEST(CudaArchitectures, ThoseWithoutCodeAreRefused) {
  EXPECT_EQ(reason_against_capability(75, 80),
            "compute capability 7.5; this build of Reprise is for 8.0 and above");
  for (const int fine : {80, 86, 90, 121}) EXPECT_EQ(reason_against_capability(fine, 80), "");
  EXPECT_EQ(reason_against_capability(0, 0), "");
}

TEST(CudaLibraries, AreFoundAndCheckTheirStatuses) {
  int major = 0, minor = 0;
  REPRISE_CUDA_CHECK(nvrtc().nvrtcVersion(&major, &minor));
  EXPECT_EQ(major, CUDART_VERSION / 1000);
  expect_error([] { REPRISE_CUDA_CHECK(nvrtc().nvrtcDestroyProgram(nullptr)); }, ErrorKind::Device,
               {"nvrtcDestroyProgram: status 4", "INVALID_PROGRAM"});
  expect_error(
      [] {
        REPRISE_CUDA_CHECK(
            blas().cublasLtMatmulDescCreate(nullptr, CUBLAS_COMPUTE_32F, CUDA_R_32F));
      },
      ErrorKind::Device, {"cublasLtMatmulDescCreate: CUBLAS_STATUS_"});
#if defined(REPRISE_HAS_CUDNN)
  EXPECT_EQ(dnn().cudnnGetVersion() / 10000, size_t{CUDNN_MAJOR});
  expect_error([] { REPRISE_CUDA_CHECK(dnn().cudnnBackendFinalize(nullptr)); }, ErrorKind::Device,
               {"cudnnBackendFinalize: CUDNN_STATUS_"});
#endif
}

TEST(CudaLibraries, HandlesNeedADevice) {
  if (is_available()) {
    EXPECT_TRUE(!has_blas() || blas_handle() == blas_handle());
    return;
  }
  expect_error([] { (void)blas_handle(); }, ErrorKind::Device, {"cudaGetDevice", "driver"});
}

}  // namespace
}  // namespace reprise::cuda
