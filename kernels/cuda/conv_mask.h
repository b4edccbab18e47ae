#pragma once
// The mask of a gradient as bits: kept while the gradient is written over the mask.

#include "../../core/device.h"

namespace reprise::cuda {

constexpr size_t mask_bytes(int64_t count) { return static_cast<size_t>((count + 31) / 32 * 4); }

/// Bit i % 32 of bits[i / 32]: whether mask[i] is positive.
template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t count);
/// x[i] = 0 where the bit is not set.
template <class T>
void apply_mask(reprise::Stream stream, const uint32_t* bits, T* x, int64_t count);

}  // namespace reprise::cuda
