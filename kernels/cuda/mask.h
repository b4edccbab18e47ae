#pragma once
// Which elements of a ReLU's result are positive, as bits: for gradients that are written over that
// result, and for cuBLASLt.

#include "../../core/device.h"

namespace reprise::cuda {

constexpr size_t mask_bytes(int64_t count) { return static_cast<size_t>((count + 31) / 32 * 4); }

/// Bit i % 32 of bits[i / 32]: whether mask[i] is positive.
template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t count);
/// The same for dense rows of `columns` elements; those of a row begin at bit row * leading, a
/// multiple of 32, and are followed by zeros.
template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t rows, int64_t columns,
               int64_t leading);
/// x[i] = 0 where the bit is not set.
template <class T>
void apply_mask(reprise::Stream stream, const uint32_t* bits, T* x, int64_t count);

}  // namespace reprise::cuda
