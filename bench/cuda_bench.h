#pragma once

namespace reprise_bench {

/// Makes the benchmarks of the first CUDA device known, under "cuda/"; tiny ones only show that
/// they run, also on an emulated device.
void register_cuda_benchmarks(bool tiny);

}  // namespace reprise_bench
