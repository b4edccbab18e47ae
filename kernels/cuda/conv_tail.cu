// A thread finishes V results of one channel that lie side by side. Slices are added up in their
// order and in double.

#include "conv_tail.cuh"

namespace reprise::cuda {
namespace {

/// results, pixels: in packs of V. I counts packs: 32 bits where they all fit.
template <class T, int V, class I>
__global__ void finish_results(const Acc<T>* slices, int64_t count, ConvTail<T> tail, T* out,
                               I results, I pixels, I channels) {
  for (I i = static_cast<I>(first_index()); i < results; i += static_cast<I>(index_step())) {
    const int64_t channel = i / pixels % channels, at = int64_t{i} * V;
    Acc<T> sums[V];
    load_pack(sums, slices + at);
    if (count > 1) {
      double totals[V];
      for (int e = 0; e < V; ++e) totals[e] = sums[e];
      for (int64_t k = 1; k < count; ++k) {
        load_pack(sums, slices + (k * results * V + at));
        for (int e = 0; e < V; ++e) totals[e] += sums[e];
      }
      for (int e = 0; e < V; ++e) sums[e] = static_cast<Acc<T>>(totals[e]);
    }
    T values[V];
    for (int e = 0; e < V; ++e) values[e] = finish(sums[e], tail, channel, at + e);
    store_pack(out + at, values);
  }
}

template <class T, int V>
void run(reprise::Stream stream, const Acc<T>* slices, int64_t count, const ConvTail<T>& tail,
         T* out, int64_t results, int64_t pixels, int64_t channels) {
  const auto start = [&]<class I>(I) {
    launch(stream, blocks_for(results / V), kThreads, finish_results<T, V, I>, slices, count, tail,
           out, static_cast<I>(results / V), static_cast<I>(pixels / V), static_cast<I>(channels));
  };
  if (results < INT32_MAX / 2) {
    start(uint32_t{});
  } else {
    start(int64_t{});
  }
}

}  // namespace

template <class T>
void finish_conv(reprise::Stream stream, ConvPass pass, const ConvShape& s, const Acc<T>* slices,
                 int64_t count, const ConvTail<T>& tail, T* out) {
  // Packs lie within a channel, or, without factors of channels, anywhere.
  const bool channels = tail.bias != nullptr || tail.scale != nullptr;
  const int64_t results = conv_results(pass, s);
  const int64_t pixels = channels ? s.out_h() * s.out_w() : results;
  const bool packs = pixels % kPack<T> == 0 && is_aligned(slices, 16) && is_aligned(out, 16);
  const auto f = packs ? run<T, kPack<T>> : run<T, 1>;
  f(stream, slices, count, tail, out, results, std::max<int64_t>(pixels, 1),
    std::max<int64_t>(s.out_channels, 1));
}

template void finish_conv(reprise::Stream, ConvPass, const ConvShape&, const float*, int64_t,
                          const ConvTail<float>&, float*);
template void finish_conv(reprise::Stream, ConvPass, const ConvShape&, const double*, int64_t,
                          const ConvTail<double>&, double*);

}  // namespace reprise::cuda
