#pragma once

namespace reprise_bench {

/// Makes the benchmarks of the first CUDA device known, under "cuda/".
void register_cuda_benchmarks();

}  // namespace reprise_bench
