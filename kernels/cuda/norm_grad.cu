// BatchNormGrad for dense x, seen as [N, C, S]: one reduction over N and S, whose sums are taken as
// those of BatchNorm are (norm.cu), and one pass over x.

#include <cmath>

#include "../../core/ops/norm.h"
#include "norm.cuh"
#include "reduce.cuh"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

template <class T>
struct GradPair {
  T g, x;
};
/// Of `count` pairs: the sums of g and of g (x - pivot).
struct Products {
  double count, pivot, sum, product;
};

/// What gx loses to the statistics: constant + slope (x - mean). Kept apart from the gradients of
/// the vectors, which may be rounded to 16 bits.
template <class A>
struct Drift {
  A constant, slope;
};

template <class T>
struct GradSums {
  using Element = T;
  using Value = GradPair<T>;
  using State = Products;
  const T *gy, *x;
  Channels<T> mean, invstd, gweight, gbias;
  Drift<Acc<T>>* drifts;
  Acc<T> share;

  bool is_aligned_to(size_t bytes) const { return is_aligned(gy, bytes) && is_aligned(x, bytes); }
  __device__ Value load(int64_t at) const { return {gy[at], x[at]}; }
  template <int N>
  __device__ void load(Value (&v)[N], int64_t at) const {
    T g[N], value[N];
    load_pack(g, gy + at);
    load_pack(value, x + at);
    unrolled<N>([&](int e) { v[e] = {g[e], value[e]}; });
  }
  __device__ Products none() const { return {}; }
  __device__ Products join(const Products& a, const Products& b) const {
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    const double moved = (b.pivot - a.pivot) * b.sum;
    return {a.count + b.count, a.pivot, a.sum + b.sum, a.product + (b.product + moved)};
  }
  __device__ void take(Products& p, const Value& v, int64_t i) const {
    const Value pack[] = {v};
    take(p, pack, i, 1);
  }
  template <int N>
  __device__ void take(Products& p, const Value (&v)[N], int64_t, int64_t) const {
    using A = Acc<T>;
    if (p.count == 0) p.pivot = tree_sum<A, N>([&](int e) { return static_cast<A>(v[e].x); }) / N;
    p.count += N;
    p.sum += tree_sum<A, N>([&](int e) { return static_cast<A>(v[e].g); });
    p.product += tree_sum<A, N>(
        [&](int e) { return static_cast<A>(v[e].g) * (static_cast<A>(v[e].x) - A(p.pivot)); });
  }
  __device__ void store(int64_t channel, const Products& p) const {
    const double product = p.product + (p.pivot - static_cast<double>(mean[channel])) * p.sum;
    const auto slope = static_cast<Acc<T>>(product * static_cast<double>(invstd[channel]));
    const auto sum = static_cast<Acc<T>>(p.sum);
    gweight.set(channel, slope);
    gbias.set(channel, sum);
    drifts[channel] = {sum * share, slope * invstd[channel] * share};
  }
};

/// gx = weight invstd (gy - gbias share - (x - mean) invstd gweight share), share = 1 / (N S)
template <class T>
struct NormalGrad {
  using A = Acc<T>;
  A mean, scale;
  Drift<A> drift;

  __device__ T operator()(const GradPair<T>& v) const {
    const A centred = static_cast<A>(v.x) - mean, g = static_cast<A>(v.g) - drift.constant;
    return static_cast<T>(std::fma(-centred, drift.slope, g) * scale);
  }
};

template <class T, int W>
__global__ void normalize_grad(T* gx, GradSums<T> sums, ChannelOf channel_of, Channels<T> weight) {
  const auto of = [&](int64_t c) {
    return NormalGrad<T>{sums.mean[c], weight[c] * sums.invstd[c], sums.drifts[c]};
  };
  NormalGrad<T> normal[W] = {};
  int64_t first = -1;
  for (int64_t i = first_index() * W; i < channel_of.numel; i += index_step() * W) {
    channel_of.find(normal, first, i, of);
    GradPair<T> v[W];
    T result[W];
    sums.load(v, i);
    unrolled<W>([&](int e) { result[e] = normal[e](v[e]); });
    store_pack(gx + i, result);
  }
}

template <class T>
void batch_norm_grad(const Launch& l) {
  const Meta x = matrix_of(*l.in[1].meta);
  auto* drifts = static_cast<Drift<Acc<T>>*>(l.workspace);
  const auto share = static_cast<Acc<T>>(1 / static_cast<double>(x.shape[0] * x.shape[2]));
  const GradSums<T> sums{l.in[0].as<T>(),
                         l.in[1].as<T>(),
                         Channels<T>(l.in[3]),
                         Channels<T>(l.in[4]),
                         Channels<T>(l.out[1]),
                         Channels<T>(l.out[2]),
                         drifts,
                         share};
  reduce(l.stream, sums, x, batch_dims(), drifts + x.shape[1]);
  const bool packs = takes_packs<T>(x, fit_packs(sums.gy, sums.x, l.out[0].as<T>()));
  launch(l.stream, blocks_along(x, x.numel(), packs ? kPack<T> : 1), kThreads,
         packs ? normalize_grad<T, kPack<T>> : normalize_grad<T, 1>, l.out[0].as<T>(), sums,
         ChannelOf(x), Channels<T>(l.in[2]));
}

}  // namespace

size_t batch_norm_workspace(const Meta& x) {
  static_assert(sizeof(Products) == 4 * sizeof(double));  // as the states of BatchNorm
  return static_cast<size_t>(x.shape[1]) * sizeof(Drift<double>) +
         reduction_workspace(matrix_of(x), batch_dims(), sizeof(Products));
}

}  // namespace cuda

void BatchNormGrad::cuda(const Launch& l) const {
  cuda::visit_any_floating(name, l.in[1].meta->dtype,
                           [&]<class T>() { cuda::batch_norm_grad<T>(l); });
}

}  // namespace reprise
