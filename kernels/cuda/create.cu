// Full and Arange: values that depend on the index alone.

#include "../../core/ops/create.h"
#include "launch.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T>
__global__ void fill(T* out, T value, int64_t n) {
  for (int64_t i = first_index(); i < n; i += index_step()) out[i] = value;
}

}  // namespace
}  // namespace cuda

void Full::cuda(const Launch& l) const {
  const View& out = l.out[0];
  visit_dtype(dtype, [&]<class T>() {
    cuda::launch(l.stream, cuda::blocks_for(out.meta->numel()), cuda::kThreads, cuda::fill<T>,
                 out.as<T>(), static_cast<T>(value.to<double>()), out.meta->numel());
  });
}

}  // namespace reprise
