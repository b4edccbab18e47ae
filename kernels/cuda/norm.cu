// BatchNorm, alone or with what follows it, for dense x, seen as [N, C, S], or as [N S, C, 1] when
// the channels lie last: one reduction over N and S gives what a channel needs, one pass over x
// applies it. Sums of packs are taken in the elements' own width, of differences from a pivot near
// the mean, and added up in double; pivots are joined without loss, so nothing cancels that the
// CPU, which keeps doubles all along, would keep. Elements of 16 bits are computed with in float;
// the vectors may be float beside them.

#include <cmath>

#include "../../core/ops/fused_norm.h"

#include "norm.cuh"
#include "reduce.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

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

  static_assert(sizeof(Moments) == 4 * sizeof(double));  // as batch_norm_workspace takes it

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
    take(m, pack, i, 1);
  }
  template <int N>
  __device__ void take(Moments& m, const T (&v)[N], int64_t, int64_t) const {
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
    mean.set(channel, value);
    invstd.set(channel, 1 / std::sqrt((var < 0 ? 0 : var) + eps));
    if (m.count == 0) return;
    const double share = momentum < 0 ? 1 / static_cast<double>(*batches + 1) : momentum;
    follow(running_mean, channel, value, share);
    follow(running_var, channel, squares / (m.count - 1), share);
  }
  __device__ static void follow(const Channels<T>& running, int64_t channel, double value,
                                double share) {
    running.set(channel, (1 - share) * static_cast<double>(running[channel]) + share * value);
  }
};

/// What follows in the same pass: + residual, relu. Each op rounds.
template <class T>
struct Tail {
  const T* residual;
  bool relu;

  template <int W>
  __device__ void operator()(T (&v)[W], int64_t at) const {
    using A = Acc<T>;
    if (residual != nullptr) {
      T more[W];
      load_pack(more, residual + at);
      unrolled<W>(
          [&](int e) { v[e] = static_cast<T>(static_cast<A>(v[e]) + static_cast<A>(more[e])); });
    }
    if (relu) unrolled<W>([&](int e) { v[e] = static_cast<A>(v[e]) < 0 ? T(0) : v[e]; });
  }
};

template <class T, int W>
__global__ void normalize(T* y, const T* x, ChannelOf channel_of, Channels<T> mean,
                          Channels<T> invstd, Channels<T> weight, Channels<T> bias, Tail<T> tail,
                          int64_t* batches) {
  if (batches != nullptr && first_index() == 0) ++*batches;
  const auto of = [&](int64_t c) { return Normal<T>{mean[c], invstd[c] * weight[c], bias[c]}; };
  Normal<T> normal[W] = {};
  int64_t first = -1;
  for (int64_t i = first_index() * W; i < channel_of.numel; i += index_step() * W) {
    channel_of.find(normal, first, i, of);
    T v[W];
    load_pack(v, x + i);
    unrolled<W>([&](int e) { v[e] = normal[e](v[e]); });
    tail(v, i);
    store_pack(y + i, v);
  }
}

template <class T>
void batch_norm(const Launch& l, const FusedBatchNorm& op) {
  const Meta x = matrix_of(*l.in[0].meta);
  const Channels<T> mean(l.out[1]), invstd(l.out[2]);
  const bool counts = x.shape[0] * x.shape[2] != 0;
  auto* batches = l.in[5].as<int64_t>();
  const Statistics<T> statistics{{l.in[0].as<T>()},    mean,    invstd,      Channels<T>(l.in[3]),
                                 Channels<T>(l.in[4]), batches, op.momentum, op.eps};
  reduce(l.stream, statistics, x, batch_dims(), l.workspace);
  const Tail<T> tail{op.residual ? l.in[6].as<T>() : nullptr, op.relu};
  const bool packs = takes_packs<T>(x, fit_packs(l.in[0].as<T>(), l.out[0].as<T>(), tail.residual));
  const auto n = std::max<int64_t>(x.numel(), counts);
  const dim3 blocks = blocks_along(x, n, packs ? kPack<T> : 1);
  launch(l.stream, blocks, kThreads, packs ? normalize<T, kPack<T>> : normalize<T, 1>,
         l.out[0].as<T>(), l.in[0].as<T>(), ChannelOf(x), mean, invstd, Channels<T>(l.in[1]),
         Channels<T>(l.in[2]), tail, counts ? batches : nullptr);
}

}  // namespace
}  // namespace cuda

void BatchNorm::cuda(const Launch& l) const { FusedBatchNorm{momentum, eps}.cuda(l); }

void FusedBatchNorm::cuda(const Launch& l) const {
  cuda::visit_any_floating(name, l.in[0].meta->dtype,
                           [&]<class T>() { cuda::batch_norm<T>(l, *this); });
}

}  // namespace reprise
