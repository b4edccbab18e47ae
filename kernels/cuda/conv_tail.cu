// A thread finishes V results that lie side by side: of one channel or, channels-last, of V of
// them. Slices are added up in their order and in double.

#include "conv_tail.cuh"
#include "pack.cuh"

namespace reprise::cuda {
namespace {

/// The channels of packs: (pack / pixels % count) * of_count, and from there by `of_lane`.
template <class I>
struct Channels {
  I pixels, count, of_count, of_lane;
};

/// results: in packs of V. I counts packs: 32 bits where they all fit.
template <class T, class S, int V, class I>
__global__ void finish_results(const S* slices, int64_t count, ConvTail<T> tail, T* out, I results,
                               Channels<I> channels) {
  for (I i = static_cast<I>(first_index()); i < results; i += static_cast<I>(index_step())) {
    const int64_t channel = i / channels.pixels % channels.count * channels.of_count;
    const int64_t at = int64_t{i} * V;
    S slice[V];
    load_pack(slice, slices + at);
    Acc<T> sums[V];
    for (int e = 0; e < V; ++e) sums[e] = static_cast<Acc<T>>(slice[e]);
    if (count > 1) {
      double totals[V];
      for (int e = 0; e < V; ++e) totals[e] = static_cast<double>(sums[e]);
      for (int64_t k = 1; k < count; ++k) {
        load_pack(slice, slices + (k * results * V + at));
        for (int e = 0; e < V; ++e) totals[e] += static_cast<double>(slice[e]);
      }
      for (int e = 0; e < V; ++e) sums[e] = static_cast<Acc<T>>(totals[e]);
    }
    T values[V];
    for (int e = 0; e < V; ++e) {
      values[e] = finish(sums[e], tail, channel + e * channels.of_lane, at + e);
    }
    store_pack(out + at, values);
  }
}

template <class T, class S, int V>
void run(reprise::Stream stream, const S* slices, int64_t count, const ConvTail<T>& tail, T* out,
         int64_t results, const Channels<int64_t>& c) {
  const auto start = [&]<class I>(I) {
    launch(stream, blocks_for(results / V), kThreads, finish_results<T, S, V, I>, slices, count,
           tail, out, static_cast<I>(results / V),
           Channels<I>{static_cast<I>(c.pixels), static_cast<I>(c.count),
                       static_cast<I>(c.of_count), static_cast<I>(c.of_lane)});
  };
  if (results < INT32_MAX / 2) {
    start(uint32_t{});
  } else {
    start(int64_t{});
  }
}

}  // namespace

template <class T, class S>
void finish_conv(reprise::Stream stream, const ConvWork& work, const S* slices, int64_t count,
                 const ConvTail<T>& tail, T* out) {
  const ConvShape& s = work.shape;
  const int64_t results = conv_results(work.pass, s);
  // Without factors of channels packs lie anywhere.
  const bool any = tail.bias == nullptr && tail.scale == nullptr;
  const int64_t side_by_side = any                  ? results
                               : work.channels_last ? s.out_channels
                                                    : s.out_h() * s.out_w();
  const bool packs = side_by_side % kPack<T> == 0 && is_aligned(slices, kPack<T> * sizeof(S)) &&
                     is_aligned(out, 16);
  const int64_t v = packs ? kPack<T> : 1, lines = std::max<int64_t>(side_by_side / v, 1);
  const int64_t channels = std::max<int64_t>(s.out_channels, 1);
  const Channels<int64_t> c = work.channels_last ? Channels<int64_t>{1, lines, v, 1}
                                                 : Channels<int64_t>{lines, channels, 1, 0};
  const auto f = packs ? run<T, S, kPack<T>> : run<T, S, 1>;
  f(stream, slices, count, tail, out, results, c);
}

#define REPRISE_FINISH(T, S)                                                     \
  template void finish_conv(reprise::Stream, const ConvWork&, const S*, int64_t, \
                            const ConvTail<T>&, T*);
REPRISE_FINISH(float, float)
REPRISE_FINISH(double, double)
REPRISE_FINISH(Half, Half)
REPRISE_FINISH(Half, float)
REPRISE_FINISH(BFloat16, BFloat16)
REPRISE_FINISH(BFloat16, float)
#undef REPRISE_FINISH

}  // namespace reprise::cuda
