#include "conv_mask.h"

#include "../../core/half.h"
#include "launch.cuh"
#include "warp.cuh"

namespace reprise::cuda {
namespace {

template <class T>
__global__ void keep_bits(const T* mask, uint32_t* bits, int64_t count) {
  const int64_t whole_warps = (count + kWarp - 1) / kWarp * kWarp;
  for (int64_t i = first_index(); i < whole_warps; i += index_step()) {
    const unsigned positive = __ballot_sync(~0U, i < count && mask[i] > T(0));
    if (i % kWarp == 0) bits[i / kWarp] = positive;
  }
}

template <class T>
__global__ void clear(const uint32_t* bits, T* x, int64_t count) {
  for (int64_t i = first_index(); i < count; i += index_step()) {
    if ((bits[i / kWarp] >> (i % kWarp) & 1U) == 0) x[i] = T(0);
  }
}

}  // namespace

template <class T>
void keep_mask(reprise::Stream stream, const T* mask, uint32_t* bits, int64_t count) {
  launch(stream, blocks_for(count), kThreads, keep_bits<T>, mask, bits, count);
}
template <class T>
void apply_mask(reprise::Stream stream, const uint32_t* bits, T* x, int64_t count) {
  launch(stream, blocks_for(count), kThreads, clear<T>, bits, x, count);
}

#define REPRISE_MASK(T)                                                   \
  template void keep_mask(reprise::Stream, const T*, uint32_t*, int64_t); \
  template void apply_mask(reprise::Stream, const uint32_t*, T*, int64_t);
REPRISE_MASK(float)
REPRISE_MASK(double)
REPRISE_MASK(Half)
REPRISE_MASK(BFloat16)
#undef REPRISE_MASK

}  // namespace reprise::cuda
