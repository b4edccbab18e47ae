#pragma once
// Handles of cuBLASLt and cuDNN, one for each thread and device, made at their first use. A thread
// that ends leaves its handles to the next; none is ever destroyed, since CUDA may be gone by then.

#include "libraries.h"

namespace reprise::cuda {

/// Whether the library is found and takes the current device: what kernels ask in front of it.
bool has_blas();
bool has_dnn();
bool has_nvrtc();

/// For the current device.
cublasLtHandle_t blas_handle();
#if defined(REPRISE_HAS_CUDNN)
cudnnHandle_t dnn_handle();
/// The same; its work goes to `stream`.
cudnnHandle_t dnn_handle(cudaStream_t stream);
#endif

}  // namespace reprise::cuda
