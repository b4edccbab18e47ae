// The gradient of picked log probabilities: what an element needs of y, index and g, and its place
// along the dimension, are found by strides alone.

#include "../../core/ops/fused_loss.h"

#include <cmath>

#include "acc.cuh"
#include "index_check.cuh"
#include "offsets.cuh"
#include "pack.cuh"

#include "launch.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

/// The operands; W neighbours of x lie dense.
template <class T>
struct Picked {
  using A = Acc<T>;
  const T* x;
  const int64_t* index;
  const T* g;
  const A *most, *log_sum;  // of lines; none where x is log_softmax already
  Offsets<5> places;        // in x, index, g and lines, and the place along the dimension
  int64_t size, inner;      // of the dimension, and of what lies behind it
};

/// What the elements of a line share.
template <class A>
struct LineOf {
  int64_t picked;
  A g, most = 0, log_sum = 0;

  template <class T>
  __device__ LineOf(const Picked<T>& p, const typename Offsets<5>::Place& place, int e)
      : picked(p.index[place.of[1] + e * p.places.strides[0][1]]),
        g(static_cast<A>(p.g[place.of[2] + e * p.places.strides[0][2]])) {
    if (p.most == nullptr) return;
    const int64_t line = place.of[3] + e * p.places.strides[0][3];
    most = p.most[line];
    log_sum = p.log_sum[line];
  }
  __device__ A grad(A x, int64_t k) const {
    const A share = std::exp((x - most) - log_sum) * g;
    return (k == picked ? g : A(0)) - share;
  }
};

template <class T, int W>
__global__ void log_softmax_gather_grad(T* gx, Picked<T> p, int64_t numel, IndexCheck check) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < numel; i += index_step() * W) {
    const auto place = p.places(i);
    const int64_t along = p.places.strides[0][4];
    LineOf<A> line(p, place, 0);
    T v[W];
    load_pack(v, p.x + place.of[0]);
    unrolled<W>([&](int e) {
      if (e > 0 && along == 0) line = LineOf<A>(p, place, e);
      const int64_t k = place.of[4] + e * along;
      v[e] = static_cast<T>(line.grad(static_cast<A>(v[e]), k));
      if (k == 0 && static_cast<uint64_t>(line.picked) >= static_cast<uint64_t>(p.size))
        check.report(line.picked, (i + e) / (p.size * p.inner) * p.inner + (i + e) % p.inner);
    });
    store_pack(gx + i, v);
  }
}

template <class T>
void log_softmax_gather_grad(const Launch& l, size_t dim) {
  const View &y = l.in[0], &index = l.in[1], &g = l.in[2];
  const bool lines = l.in.size() > 3;
  Strides strides[] = {y.meta->strides, index.meta->strides, g.meta->strides,
                       contiguous_strides(index.meta->shape), Shape::filled(y.meta->dim(), 0)};
  strides[1][dim] = strides[2][dim] = strides[3][dim] = 0;
  strides[4][dim] = 1;
  const auto places = offsets_of<5>(y.meta->shape, strides);
  const int64_t numel = y.meta->numel();
  bool packs = places.dims > 0 && places.strides[0][0] == 1 && fit_packs(y.data, l.out[0].data);
  for (int d = 0; d < places.dims; ++d) {
    packs = packs && (d == 0 ? places.size(0) : places.strides[d][0]) % kPack<T> == 0;
  }
  using A = Acc<T>;
  const Picked<T> picked{y.as<T>(),
                         index.as<int64_t>(),
                         g.as<T>(),
                         lines ? l.in[3].as<A>() : nullptr,
                         lines ? l.in[4].as<A>() : nullptr,
                         places,
                         y.meta->shape[dim],
                         contiguous_strides(y.meta->shape)[dim]};
  launch(l.stream, blocks_for(numel, packs ? kPack<T> : 1), kThreads,
         packs ? log_softmax_gather_grad<T, kPack<T>> : log_softmax_gather_grad<T, 1>,
         l.out[0].as<T>(), picked, numel, {index.meta->shape, picked.size});
}

}  // namespace
}  // namespace cuda

void LogSoftmaxGatherGrad::cuda(const Launch& l) const {
  cuda::visit_any_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    cuda::log_softmax_gather_grad<T>(l, static_cast<size_t>(dim));
  });
}

}  // namespace reprise
