// BatchNorm and its gradient for dense x, seen as [N, C, S]: one reduction over N and S gives what
// a channel needs, one pass over x applies it. Sums of packs are taken in the elements' own width,
// of differences from a pivot near the mean, and added up in double; pivots are joined without
// loss, so nothing cancels that the CPU, which keeps doubles all along, would keep.

#include "../../core/ops/norm.h"

#include <cmath>

#include "reduce.cuh"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

/// [N, C, S], of which S is 1 for x [N, C].
Meta matrix_of(const Meta& x) {
  int64_t size = 1;
  for (size_t d = 2; d < x.shape.size(); ++d) size *= x.shape[d];
  return Meta({x.shape[0], x.shape[1], size}, x.dtype);
}
Shape batch_dims() { return {0, 2}; }

/// A vector of one number per channel, of any stride.
template <class T>
struct Channels {
  T* data;
  int64_t step;

  explicit Channels(const View& v)
      : data(v.as<T>()), step(v.meta->strides.empty() ? 0 : v.meta->strides[0]) {}
  __device__ T& operator[](int64_t i) const { return data[i * step]; }
};

/// Of `count` values x: the sums of x - pivot and of its square.
struct Moments {
  double count, pivot, sum, squares;
};

template <class T>
struct Statistics : OneOperand<T> {
  using State = Moments;
  Channels<T> mean, invstd, running_mean, running_var;
  const int64_t* batches;  // before this one
  double momentum, eps;

  __device__ Moments none() const { return {}; }
  __device__ Moments join(const Moments& a, const Moments& b) const {
    if (a.count == 0) return b;
    if (b.count == 0) return a;
    const double by = b.pivot - a.pivot, moved = b.count * by;
    return {a.count + b.count, a.pivot, a.sum + (b.sum + moved),
            a.squares + (b.squares + by * (2 * b.sum + moved))};
  }
  __device__ void take(Moments& m, T v, int64_t i) const {
    const T pack[] = {v};
    take(m, pack, i);
  }
  template <int N>
  __device__ void take(Moments& m, const T (&v)[N], int64_t) const {
    if (m.count == 0) m.pivot = tree_sum<Acc<T>, N>([&](int e) { return v[e]; }) / N;
    const auto centred = [&](int e) { return static_cast<Acc<T>>(v[e]) - Acc<T>(m.pivot); };
    m.count += N;
    m.sum += tree_sum<Acc<T>, N>(centred);
    m.squares += tree_sum<Acc<T>, N>([&](int e) { return centred(e) * centred(e); });
  }
  __device__ void store(int64_t channel, const Moments& m) const {
    const double shift = m.count == 0 ? 0 : m.sum / m.count;
    const double squares = m.squares - m.sum * shift, value = m.pivot + shift;
    const double var = m.count == 0 ? 0 : squares / m.count;
    mean[channel] = static_cast<T>(value);
    invstd[channel] = static_cast<T>(1 / std::sqrt((var < 0 ? 0 : var) + eps));
    if (m.count == 0) return;
    const double share = momentum < 0 ? 1 / static_cast<double>(*batches + 1) : momentum;
    follow(running_mean[channel], value, share);
    follow(running_var[channel], squares / (m.count - 1), share);
  }
  __device__ static void follow(T& running, double value, double share) {
    running = static_cast<T>((1 - share) * static_cast<double>(running) + share * value);
  }
};

/// The channel of each element; W neighbours share it, or have neighbouring ones.
struct ChannelOf {
  Offsets<1> offsets;
  int64_t numel;
  bool shared;

  explicit ChannelOf(const Meta& matrix)
      : offsets(offsets_of<1>(matrix.shape, {{0, 1, 0}})),
        numel(matrix.numel()),
        shared(matrix.shape[2] > 1) {}
};

template <class T, int W>
__global__ void normalize(T* y, const T* x, ChannelOf channel_of, Channels<T> mean,
                          Channels<T> invstd, Channels<T> weight, Channels<T> bias,
                          int64_t* batches) {
  if (batches != nullptr && first_index() == 0) ++*batches;
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < channel_of.numel; i += index_step() * W) {
    const int64_t first = channel_of.offsets(i).of[0];
    T v[W];
    load_pack(v, x + i);
    unrolled<W>([&](int e) {
      const int64_t c = first + (channel_of.shared ? 0 : e);
      const A scale = static_cast<A>(invstd[c]) * static_cast<A>(weight[c]);
      const A centred = static_cast<A>(v[e]) - static_cast<A>(mean[c]);
      v[e] = static_cast<T>(std::fma(centred, scale, static_cast<A>(bias[c])));
    });
    store_pack(y + i, v);
  }
}

template <class T>
struct GradPair {
  T g, x;
};
/// Of `count` pairs: the sums of g and of g (x - pivot).
struct Products {
  double count, pivot, sum, product;
};

template <class T>
struct GradSums {
  using Element = T;
  using Value = GradPair<T>;
  using State = Products;
  const T *gy, *x;
  Channels<T> mean, invstd, gweight, gbias;

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
    take(p, pack, i);
  }
  template <int N>
  __device__ void take(Products& p, const Value (&v)[N], int64_t) const {
    using A = Acc<T>;
    if (p.count == 0) p.pivot = tree_sum<A, N>([&](int e) { return v[e].x; }) / N;
    p.count += N;
    p.sum += tree_sum<A, N>([&](int e) { return v[e].g; });
    p.product += tree_sum<A, N>(
        [&](int e) { return static_cast<A>(v[e].g) * (static_cast<A>(v[e].x) - A(p.pivot)); });
  }
  __device__ void store(int64_t channel, const Products& p) const {
    const double product = p.product + (p.pivot - static_cast<double>(mean[channel])) * p.sum;
    gweight[channel] = static_cast<T>(product * static_cast<double>(invstd[channel]));
    gbias[channel] = static_cast<T>(p.sum);
  }
};

/// gx = weight invstd (gy - gbias share - (x - mean) invstd gweight share), share = 1 / (N S)
template <class T, int W>
__global__ void normalize_grad(T* gx, GradSums<T> of, ChannelOf channel_of, Channels<T> weight,
                               Acc<T> share) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < channel_of.numel; i += index_step() * W) {
    const int64_t first = channel_of.offsets(i).of[0];
    GradPair<T> v[W];
    T result[W];
    of.load(v, i);
    unrolled<W>([&](int e) {
      const int64_t c = first + (channel_of.shared ? 0 : e);
      const A invstd = static_cast<A>(of.invstd[c]);
      const A g = static_cast<A>(v[e].g) - static_cast<A>(of.gbias[c]) * share;
      const A slope = static_cast<A>(of.gweight[c]) * invstd * share;
      const A centred = static_cast<A>(v[e].x) - static_cast<A>(of.mean[c]);
      result[e] =
          static_cast<T>(std::fma(-centred, slope, g) * (static_cast<A>(weight[c]) * invstd));
    });
    store_pack(gx + i, result);
  }
}

/// Packs must not reach across channels, unless channels are neighbours.
template <class T>
bool takes_packs(const Meta& matrix, bool aligned) {
  const int64_t beside = matrix.shape[2] > 1 ? matrix.shape[2] : matrix.shape[1];
  return aligned && beside % kPack<T> == 0;
}

template <class T>
void batch_norm(const Launch& l, double momentum, double eps) {
  const Meta x = matrix_of(*l.in[0].meta);
  const Channels<T> mean(l.out[1]), invstd(l.out[2]);
  const bool counts = x.shape[0] * x.shape[2] != 0;
  auto* batches = l.in[5].as<int64_t>();
  const Statistics<T> statistics{{l.in[0].as<T>()},    mean,    invstd,   Channels<T>(l.in[3]),
                                 Channels<T>(l.in[4]), batches, momentum, eps};
  reduce(l.stream, statistics, x, batch_dims(), l.workspace);
  const bool packs = takes_packs<T>(x, fit_packs(l.in[0].as<T>(), l.out[0].as<T>()));
  const dim3 blocks = blocks_for(std::max<int64_t>(x.numel(), counts), packs ? kPack<T> : 1);
  launch(l.stream, blocks, kThreads, packs ? normalize<T, kPack<T>> : normalize<T, 1>,
         l.out[0].as<T>(), l.in[0].as<T>(), ChannelOf(x), mean, invstd, Channels<T>(l.in[1]),
         Channels<T>(l.in[2]), counts ? batches : nullptr);
}

template <class T>
void batch_norm_grad(const Launch& l) {
  const Meta x = matrix_of(*l.in[1].meta);
  const GradSums<T> sums{l.in[0].as<T>(),      l.in[1].as<T>(),       Channels<T>(l.in[3]),
                         Channels<T>(l.in[4]), Channels<T>(l.out[1]), Channels<T>(l.out[2])};
  reduce(l.stream, sums, x, batch_dims(), l.workspace);
  const bool packs = takes_packs<T>(x, fit_packs(sums.gy, sums.x, l.out[0].as<T>()));
  launch(l.stream, blocks_for(x.numel(), packs ? kPack<T> : 1), kThreads,
         packs ? normalize_grad<T, kPack<T>> : normalize_grad<T, 1>, l.out[0].as<T>(), sums,
         ChannelOf(x), Channels<T>(l.in[2]),
         static_cast<Acc<T>>(1 / static_cast<double>(x.shape[0] * x.shape[2])));
}

}  // namespace

size_t batch_norm_workspace(const Meta& x) {
  static_assert(sizeof(Moments) == sizeof(Products));
  return reduction_workspace(matrix_of(x), batch_dims(), sizeof(Moments));
}

}  // namespace cuda

void BatchNorm::cuda(const Launch& l) const {
  ensure(l.in[0].meta->is_contiguous(), "batch_norm: x is not dense");
  visit_floating(name, l.in[0].meta->dtype,
                 [&]<class T>() { cuda::batch_norm<T>(l, momentum, eps); });
}

void BatchNormGrad::cuda(const Launch& l) const {
  ensure(l.in[0].meta->is_contiguous() && l.in[1].meta->is_contiguous(),
         "batch_norm_grad: gy or x is not dense");
  visit_floating(name, l.in[1].meta->dtype, [&]<class T>() { cuda::batch_norm_grad<T>(l); });
}

}  // namespace reprise
