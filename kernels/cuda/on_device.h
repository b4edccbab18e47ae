#pragma once
// The current device of the CUDA runtime for a scope; kernels are called inside of one.

#include "check.h"

namespace reprise::cuda {

class OnDevice {
 public:
  explicit OnDevice(int device) {
    REPRISE_CUDA_CHECK(cudaGetDevice(&before_));
    if (before_ == device) before_ = kSame;
    if (before_ != kSame) REPRISE_CUDA_CHECK(cudaSetDevice(device));
  }
  ~OnDevice() {
    if (before_ != kSame) (void)cudaSetDevice(before_);
  }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  static constexpr int kSame = -1;
  int before_ = kSame;
};

inline int current_device() {
  int device = 0;
  REPRISE_CUDA_CHECK(cudaGetDevice(&device));
  return device;
}

}  // namespace reprise::cuda
