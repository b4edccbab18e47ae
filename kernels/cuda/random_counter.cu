// NextBlocks: one thread moves a counter that lives on the device.

#include "../../core/ops/random.h"
#include "../../core/random.h"
#include "launch.cuh"

namespace reprise {
namespace cuda {
namespace {

/// The counter's elements stand `step` apart.
__global__ void take_blocks(int64_t* out, int64_t* counter, int64_t step, int64_t blocks) {
  if (threadIdx.x != 0) return;
  out[0] = counter[0];
  out[1] = counter[step];
  counter[step] += blocks;
}

}  // namespace
}  // namespace cuda

void NextBlocks::cuda(const Launch& l) const {
  const auto blocks = static_cast<int64_t>(random_blocks_for(static_cast<uint64_t>(count)));
  cuda::launch(l.stream, 1, 1, cuda::take_blocks, l.out[0].as<int64_t>(), l.in[0].as<int64_t>(),
               l.in[0].meta->strides[0], blocks);
}

}  // namespace reprise
