#pragma once
// What follows the sums of a convolution: in the kernel that makes them, or in one of its own.

#include "conv_geometry.h"
#include "launch.cuh"

namespace reprise::cuda {

/// What sums of products are kept in.
template <class T>
struct AccOf {
  using type = float;
};
template <>
struct AccOf<double> {
  using type = double;
};
template <class T>
using ConvAcc = typename AccOf<T>::type;

template <class T>
__device__ T finish(ConvAcc<T> sum, const ConvTail<T>& tail, int64_t channel, int64_t at) {
  if (tail.bias) sum += tail.bias[channel];
  if (tail.scale) sum = sum * tail.scale[channel] + tail.shift[channel];
  if (tail.residual) sum += tail.residual[at];
  if (tail.relu && sum < 0) sum = 0;
  if (tail.mask && !(tail.mask[at] > T(0))) sum = 0;
  return static_cast<T>(sum);
}

/// Adds up the slices of each result, in their order and in double.
template <class T, class Sum>
__global__ void finish_results(const Sum* slices, int64_t count, ConvTail<T> tail, T* out,
                               int64_t results, int64_t pixels, int64_t channels) {
  for (int64_t i = first_index(); i < results; i += index_step()) {
    double sum = 0;
    for (int64_t k = 0; k < count; ++k) sum += slices[k * results + i];
    out[i] = finish(static_cast<ConvAcc<T>>(sum), tail, i / pixels % channels, i);
  }
}

/// `count` slices that lie one behind another, all sums of a pass. One slice may be `out` itself.
template <class T, class Sum>
void finish_conv(reprise::Stream stream, ConvPass pass, const ConvShape& s, const Sum* slices,
                 int64_t count, const ConvTail<T>& tail, T* out) {
  const bool forward = pass == ConvPass::forward;
  const int64_t results = conv_results(pass, s);
  launch(stream, blocks_for(results), kThreads, finish_results<T, Sum>, slices, count, tail, out,
         results, forward ? s.out_h() * s.out_w() : s.height * s.width,
         forward ? s.out_channels : s.in_channels);
}

}  // namespace reprise::cuda
