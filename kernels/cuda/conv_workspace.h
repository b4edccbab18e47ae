#pragma once
// Scratch of the convolutions on CUDA: what their T::workspace answers.

#include "conv_geometry.h"

namespace reprise::cuda {

size_t conv_workspace(ConvPass pass, const ConvShape& s, DType dtype, Device device);

}  // namespace reprise::cuda
