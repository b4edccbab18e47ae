#pragma once
// What follows the sums of a convolution, where it is a kernel of its own.

#include <cuda_runtime.h>

#include "acc.cuh"
#include "conv_geometry.h"
#include "conv_work.h"

namespace reprise::cuda {

/// out = tail of the sums: those of a pass, of type T or Acc<T>, or `count` slices of them, one
/// behind another. One slice may be `out` itself. Slices are added up in their order and in double.
template <class T, class S>
void finish_conv(reprise::Stream stream, const ConvWork& work, const S* slices, int64_t count,
                 const ConvTail<T>& tail, T* out);

}  // namespace reprise::cuda
