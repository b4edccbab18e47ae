#pragma once
// Scratch of the convolutions on CUDA: what their T::workspace answers.

#include "conv_work.h"

namespace reprise::cuda {

/// A convolution of these operands, the bias if it has one among them or not.
ConvWork conv_work(ConvPass pass, const ConvShape& s, std::span<const Meta> in, bool bias = false);
ConvWork conv_work(ConvPass pass, const ConvShape& s, const Launch& l, bool bias = false);

/// Bytes for a plan of cuDNN or for our own kernel.
size_t conv_workspace(const ConvWork& work, Device device);

/// For an input gradient that may be written over its mask: behind those bytes lie the bits of the
/// mask (mask.h), from here on, while cuDNN overwrites it.
size_t conv_mask_offset(const ConvWork& work, Device device);
size_t masked_conv_workspace(const ConvWork& work, Device device);

}  // namespace reprise::cuda
