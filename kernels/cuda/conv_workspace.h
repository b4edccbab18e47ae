#pragma once
// Scratch of the convolutions on CUDA: what their T::workspace answers.

#include "conv_geometry.h"

namespace reprise::cuda {

/// Bytes for a plan of cuDNN or for our own kernel.
size_t conv_workspace(ConvPass pass, const ConvShape& s, DType dtype, Device device);

/// For an input gradient that may be written over its mask: behind those bytes lie the bits of the
/// mask (conv_mask.h), from here on, while cuDNN overwrites it.
size_t conv_mask_offset(const ConvShape& s, DType dtype, Device device);
size_t masked_conv_workspace(const ConvShape& s, DType dtype, Device device);

}  // namespace reprise::cuda
