// The gradient of picked log probabilities: what an element needs of y, index and g, and its place
// along the dimension, are found by strides alone.

#include "../../core/ops/fused_loss.h"

#include <cmath>

#include "index_check.cuh"
#include "offsets.cuh"
#include "pack.cuh"

#include "launch.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

/// Offsets in y, index and g, and the place along the dimension. W neighbours of y lie dense.
template <class T, int W>
__global__ void log_softmax_gather_grad(T* gx, const T* y, const int64_t* index, const T* g,
                                        Offsets<4> places, int64_t numel, int64_t size,
                                        int64_t inner, IndexCheck check) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < numel; i += index_step() * W) {
    const auto place = places(i);
    const auto& step = places.strides[0];
    T v[W];
    load_pack(v, y + place.of[0]);
    unrolled<W>([&](int e) {
      const auto by = static_cast<A>(g[place.of[2] + e * step[2]]);
      const A share = std::exp(static_cast<A>(v[e])) * by;
      const int64_t at = index[place.of[1] + e * step[1]];
      v[e] = static_cast<T>((at == place.of[3] + e * step[3] ? by : A(0)) - share);
      if (static_cast<uint64_t>(at) >= static_cast<uint64_t>(size))
        check.report(at, (i + e) / (size * inner) * inner + (i + e) % inner);
    });
    store_pack(gx + i, v);
  }
}

template <class T>
void log_softmax_gather_grad(const Launch& l, size_t dim) {
  const View &y = l.in[0], &index = l.in[1], &g = l.in[2];
  Strides strides[] = {y.meta->strides, index.meta->strides, g.meta->strides,
                       Shape::filled(y.meta->dim(), 0)};
  strides[1][dim] = strides[2][dim] = 0;
  strides[3][dim] = 1;
  const auto places = offsets_of<4>(y.meta->shape, strides);
  const int64_t numel = y.meta->numel();
  bool packs = places.dims > 0 && places.strides[0][0] == 1 && fit_packs(y.data, l.out[0].data);
  for (int d = 0; d < places.dims; ++d) {
    packs = packs && (d == 0 ? places.sizes[0] : places.strides[d][0]) % kPack<T> == 0;
  }
  launch(
      l.stream, blocks_for(numel, packs ? kPack<T> : 1), kThreads,
      packs ? log_softmax_gather_grad<T, kPack<T>> : log_softmax_gather_grad<T, 1>,
      l.out[0].as<T>(), y.as<T>(), index.as<int64_t>(), g.as<T>(), places, numel,
      y.meta->shape[dim], contiguous_strides(y.meta->shape)[dim],
      {LogSoftmaxGatherGrad::name, index.meta->shape, static_cast<int>(dim), y.meta->shape[dim]});
}

}  // namespace
}  // namespace cuda

void LogSoftmaxGatherGrad::cuda(const Launch& l) const {
  cuda::visit_any_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    cuda::log_softmax_gather_grad<T>(l, static_cast<size_t>(dim));
  });
}

}  // namespace reprise
