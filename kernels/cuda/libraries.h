#pragma once
// cuBLASLt, cuDNN and NVRTC, loaded when first used: they are large, and a program without a GPU
// must neither wait for them nor need them. `blas().cublasLtMatmul(...)` calls a function; one that
// is missing is added to its list here.

#include <cublasLt.h>
#include <nvrtc.h>
#if defined(REPRISE_HAS_CUDNN)
#include <cudnn.h>
#endif

#include <atomic>

#include "check.h"

// clang-format off
#define REPRISE_CUBLASLT_FUNCTIONS(X)                                                    \
  X(cublasLtCreate) X(cublasLtGetStatusName) X(cublasLtGetStatusString) X(cublasLtMatmul)      \
  X(cublasLtMatmulDescCreate) X(cublasLtMatmulDescDestroy) X(cublasLtMatmulDescSetAttribute)   \
  X(cublasLtMatrixLayoutCreate) X(cublasLtMatrixLayoutDestroy)                                 \
  X(cublasLtMatrixLayoutSetAttribute) X(cublasLtMatmulPreferenceCreate)                        \
  X(cublasLtMatmulPreferenceDestroy) X(cublasLtMatmulPreferenceSetAttribute)                   \
  X(cublasLtMatmulAlgoGetHeuristic) X(cublasLtMatmulAlgoCheck)
#define REPRISE_CUDNN_FUNCTIONS(X)                                                             \
  X(cudnnCreate) X(cudnnSetStream) X(cudnnGetErrorString) X(cudnnGetLastErrorString)           \
  X(cudnnGetVersion) X(cudnnBackendCreateDescriptor) X(cudnnBackendDestroyDescriptor)          \
  X(cudnnBackendSetAttribute) X(cudnnBackendGetAttribute) X(cudnnBackendFinalize)              \
  X(cudnnBackendExecute)
#define REPRISE_NVRTC_FUNCTIONS(X)                                                             \
  X(nvrtcVersion) X(nvrtcGetErrorString) X(nvrtcCreateProgram) X(nvrtcDestroyProgram)          \
  X(nvrtcCompileProgram) X(nvrtcGetProgramLogSize) X(nvrtcGetProgramLog)                       \
  X(nvrtcGetCUBINSize) X(nvrtcGetCUBIN)
// clang-format on

namespace reprise::cuda {

#define REPRISE_FUNCTION(name) decltype(&::name) name;
struct BlasLibrary {
  REPRISE_CUBLASLT_FUNCTIONS(REPRISE_FUNCTION)
};
struct NvrtcLibrary {
  REPRISE_NVRTC_FUNCTIONS(REPRISE_FUNCTION)
};
#if defined(REPRISE_HAS_CUDNN)
struct DnnLibrary {
  REPRISE_CUDNN_FUNCTIONS(REPRISE_FUNCTION)
};
#endif
#undef REPRISE_FUNCTION

/// Device errors, each time they are asked for, when the library is not there.
const BlasLibrary& blas();
const NvrtcLibrary& nvrtc();
/// What a test plays in place of a library, on devices too that it would refuse; null: nothing.
inline std::atomic<const BlasLibrary*> played_blas{nullptr};
void check_status(cublasStatus_t status, const char* call);
void check_status(nvrtcResult status, const char* call);
#if defined(REPRISE_HAS_CUDNN)
const DnnLibrary& dnn();
inline std::atomic<const DnnLibrary*> played_dnn{nullptr};
void check_status(cudnnStatus_t status, const char* call);
#endif

}  // namespace reprise::cuda
