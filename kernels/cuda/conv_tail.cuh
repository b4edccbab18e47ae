#pragma once
// What follows the sums of a convolution, as kernels apply it.

#include "conv_tail.h"
#include "launch.cuh"

namespace reprise::cuda {

template <class T>
__device__ T finish(Acc<T> sum, const ConvTail<T>& tail, int64_t channel, int64_t at) {
  if (tail.bias) sum += tail.bias[channel];
  if (tail.scale) sum = sum * tail.scale[channel] + tail.shift[channel];
  if (tail.residual) sum += tail.residual[at];
  if (tail.relu && sum < 0) sum = 0;
  if (tail.mask && !(tail.mask[at] > T(0))) sum = 0;
  return static_cast<T>(sum);
}

}  // namespace reprise::cuda
