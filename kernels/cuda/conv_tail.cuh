#pragma once
// What follows the sums of a convolution, as kernels apply it.

#include "conv_tail.h"
#include "launch.cuh"

namespace reprise::cuda {

/// What is left of a value between two ops.
template <class T>
__device__ Acc<T> kept(Acc<T> value) {
  return static_cast<Acc<T>>(static_cast<T>(value));
}

template <class T>
__device__ T finish(Acc<T> sum, const ConvTail<T>& tail, int64_t channel, int64_t at) {
  if (tail.bias) sum += static_cast<Acc<T>>(tail.bias[channel]);
  if (tail.scale) {
    const auto scale = static_cast<Acc<T>>(tail.scale[channel]);
    sum = kept<T>(kept<T>(sum) * scale) + static_cast<Acc<T>>(tail.shift[channel]);
  }
  if (tail.residual) sum = kept<T>(sum) + static_cast<Acc<T>>(tail.residual[at]);
  if (tail.relu && kept<T>(sum) < 0) sum = 0;
  if (tail.mask && !(tail.mask[at] > T(0))) sum = 0;
  return static_cast<T>(sum);
}

}  // namespace reprise::cuda
