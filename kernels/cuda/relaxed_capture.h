#pragma once
// What may be done while a stream is captured although it is not part of the graph: loading code,
// and allocating what lasts.

#include "check.h"

namespace reprise::cuda {

/// Lets this thread, for its lifetime.
class RelaxedCapture {
 public:
  RelaxedCapture() { REPRISE_CUDA_CHECK(cudaThreadExchangeStreamCaptureMode(&mode_)); }
  ~RelaxedCapture() { (void)cudaThreadExchangeStreamCaptureMode(&mode_); }
  RelaxedCapture(const RelaxedCapture&) = delete;
  RelaxedCapture& operator=(const RelaxedCapture&) = delete;

 private:
  cudaStreamCaptureMode mode_ = cudaStreamCaptureModeRelaxed;
};

}  // namespace reprise::cuda
