#pragma once
// The gradient of batch normalisation for dense x, seen as [N, C, S]: one reduction over N and S,
// whose sums are taken as those of BatchNorm are (norm.cu), and one pass over x.

#include "norm.cuh"
#include "reduce.cuh"

namespace reprise::cuda {

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

template <class T>
struct GradSums {
  using Element = T;
  using Value = GradPair<T>;
  using State = Products;
  const T *gy, *x;
  Channels<T> weight, mean, invstd, gweight, gbias;
  Drift<Acc<T>>* drifts;
  Acc<T> share;

  /// For x seen as a matrix. The drifts of channels lie in front of the workspace.
  GradSums(const Launch& l, const Meta& matrix, const T* g)
      : gy(g),
        x(l.in[1].as<T>()),
        weight(l.in[2]),
        mean(l.in[3]),
        invstd(l.in[4]),
        gweight(l.out[1]),
        gbias(l.out[2]),
        drifts(static_cast<Drift<Acc<T>>*>(l.workspace)),
        share(static_cast<Acc<T>>(1 / static_cast<double>(matrix.shape[0] * matrix.shape[2]))) {}

  bool is_aligned_to(size_t bytes) const { return is_aligned(gy, bytes) && is_aligned(x, bytes); }
  __device__ Value load(int64_t at, int = 0) const { return {gy[at], x[at]}; }
  template <int N>
  __device__ void load(Value (&v)[N], int64_t at) const {
    read(v, at);
  }
  template <int N>
  __device__ void read(Value (&v)[N], int64_t at) const {
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
  __device__ NormalGrad<T> normal(int64_t channel) const {
    return {mean[channel], weight[channel] * invstd[channel], drifts[channel]};
  }
};

/// The pass over x. A channel of R is what R::normal makes of it.
template <int W, class R, class T = typename R::Element>
__global__ void normalize_grad(T* gx, R sums, ChannelOf channel_of) {
  const auto of = [&](int64_t c) { return sums.normal(c); };
  decltype(of(0)) normal[W] = {};
  int64_t first = -1;
  for (int64_t i = first_index() * W; i < channel_of.numel; i += index_step() * W) {
    channel_of.find(normal, first, i, of);
    GradPair<T> v[W];
    T result[W];
    sums.read(v, i);
    unrolled<W>([&](int e) { result[e] = normal[e](v[e]); });
    store_pack(gx + i, result);
  }
}

template <class R, class T = typename R::Element>
void run_sums(const Launch& l, const Meta& matrix, const R& sums) {
  reduce(l.stream, sums, matrix, batch_dims(), sums.drifts + matrix.shape[1]);
}

template <class R, class T = typename R::Element>
void run_normalize(const Launch& l, const Meta& matrix, const R& sums) {
  T* const gx = l.out[0].as<T>();
  const bool packs = takes_packs<T>(matrix, fit_packs(sums.gy, sums.x, gx));
  launch(l.stream, blocks_along(matrix, matrix.numel(), packs ? kPack<T> : 1), kThreads,
         packs ? normalize_grad<kPack<T>, R> : normalize_grad<1, R>, gx, sums, ChannelOf(matrix));
}

}  // namespace reprise::cuda
