// A thread makes a byte of the mask from eight elements, in packs of 16 bytes where they lie so.

#include "mask.h"

#include "../../core/half.h"
#include "launch.cuh"
#include "pack.cuh"

namespace reprise::cuda {
namespace {

/// Bit e: whether the e-th of eight elements is positive.
template <class T>
__device__ unsigned positive_bits(const T* x) {
  constexpr int kSize = kPack<T>;
  unsigned bits = 0;
  for (int first = 0; first < 8; first += kSize) {
    T pack[kSize];
    load_pack(pack, x + first);
    for (int e = 0; e < kSize; ++e) bits |= (pack[e] > T(0) ? 1U : 0U) << (first + e);
  }
  return bits;
}

template <class T, class Index>
__global__ void keep_bits(const T* mask, uint8_t* bytes, Index count, Index row_bytes,
                          int64_t columns, bool packs) {
  for (auto i = static_cast<Index>(first_index()); i < count;
       i += static_cast<Index>(index_step())) {
    const Index row = i / row_bytes;
    const int64_t column = int64_t{i - row * row_bytes} * 8;
    const T* const x = mask + row * columns + column;
    unsigned bits = 0;
    if (packs && column + 8 <= columns) {
      bits = positive_bits(x);
    } else {
      for (int e = 0; e < 8 && column + e < columns; ++e) bits |= (x[e] > T(0) ? 1U : 0U) << e;
    }
    bytes[i] = static_cast<uint8_t>(bits);
  }
}

template <class T>
__global__ void clear(const uint32_t* bits, T* x, int64_t count) {
  for (int64_t i = first_index(); i < count; i += index_step()) {
    if ((bits[i / 32] >> (i % 32) & 1U) == 0) x[i] = T(0);
  }
}

}  // namespace

template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t count) {
  keep_mask(stream, mask, bits, 1, count, static_cast<int64_t>(mask_bytes(count)) * 8);
}
template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t rows, int64_t columns,
               int64_t leading) {
  auto* const bytes = reinterpret_cast<uint8_t*>(bits);
  const int64_t count = rows * leading / 8;
  const bool packs = fit_packs(mask) && (rows == 1 || columns % kPack<T> == 0);
  // An index and a step beyond the last must fit, too.
  if (count < (int64_t{1} << 31))
    return launch(stream, blocks_for(count), kThreads, keep_bits<T, uint32_t>, mask, bytes, count,
                  leading / 8, columns, packs);
  launch(stream, blocks_for(count), kThreads, keep_bits<T, int64_t>, mask, bytes, count,
         leading / 8, columns, packs);
}
template <class T>
void apply_mask(reprise::Stream stream, const uint32_t* bits, T* x, int64_t count) {
  launch(stream, blocks_for(count), kThreads, clear<T>, bits, x, count);
}

#define REPRISE_MASK(T)                                                                     \
  template void keep_mask(reprise::Stream, const T*, uint32_t*, int64_t);                   \
  template void keep_mask(reprise::Stream, const T*, uint32_t*, int64_t, int64_t, int64_t); \
  template void apply_mask(reprise::Stream, const uint32_t*, T*, int64_t);
REPRISE_MASK(float)
REPRISE_MASK(double)
REPRISE_MASK(Half)
REPRISE_MASK(BFloat16)
#undef REPRISE_MASK

}  // namespace reprise::cuda
