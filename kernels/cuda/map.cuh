#pragma once
// Elementwise maps over operands of one shape and any strides:
//
//   map<float, float, bool>(l.stream, Body{}, l.out[0], l.in[0], l.in[1]);
//
// A thread works on packs: of as many neighbours as the widest operand has in 16 bytes where the
// innermost dimension allows it (Layout::takes_packs), else of one element. It finds the place of
// a pack by multiplications in 32 bits (layouts of more elements are launched in parts) and reads
// several packs before it writes, so that enough reads are under way.

#include <type_traits>
#include <utility>

#include "launch.cuh"
#include "walk.cuh"

namespace reprise::cuda {

/// Bits that are moved, whatever they mean.
template <size_t Bytes>
using Word = std::conditional_t<
    Bytes == 1, uint8_t,
    std::conditional_t<Bytes == 2, uint16_t, std::conditional_t<Bytes == 4, uint32_t, uint64_t>>>;

/// An operand that is not in memory: the row-major index of the element.
struct Index {};

/// Packs that a thread reads before it writes.
template <int V>
inline constexpr int kPacks = V == 1 ? 4 : 2;

template <int V>
__device__ Pack<int64_t, V> read(const Index*, int64_t at, bool) {
  Pack<int64_t, V> x;
  for (int i = 0; i < V; ++i) x.v[i] = at + i;
  return x;
}

/// What a thread has read of one operand.
template <class P, int Packs>
struct Values {
  P v[Packs];
};
template <int V, int Packs, class T>
__device__ auto read_all(const T* from, const int64_t (&at)[Packs], bool repeated) {
  Values<decltype(read<V>(from, 0, false)), Packs> values;
#pragma unroll
  for (int i = 0; i < Packs; ++i) values.v[i] = read<V>(from, at[i], repeated);
  return values;
}

template <int V, int Packs, class F, class Out, class... P>
__device__ void write_all(const F& f, uint32_t packs, Out* out, const int64_t (&at)[Packs],
                          const Values<P, Packs>&... values) {
#pragma unroll
  for (int i = 0; i < Packs; ++i) {
    if (i * blockDim.x >= packs) continue;
    using Whole = Pack<Out, V>;
    *static_cast<Whole*>(__builtin_assume_aligned(out + at[i], sizeof(Whole))) = f(values.v[i]...);
  }
}

/// `left`: packs from the thread's first one on.
template <int V, int Packs, class F, size_t... K, class Out, class... In>
__device__ void map_packs(const F& f, uint32_t left, unsigned repeated,
                          const Places<1 + sizeof...(In), Packs>& places, std::index_sequence<K...>,
                          Out* out, const In*... in) {
  write_all<V>(f, left, out, places.at[0],
               read_all<V>(in, places.at[1 + K], (repeated >> (1 + K) & 1) != 0)...);
}

template <int V, class F, class Out, class... In>
__global__ void map_kernel(F f, Walk<1 + sizeof...(In)> walk, Out* out, const In*... in) {
  constexpr std::index_sequence_for<In...> all;
  const uint32_t begin = blockIdx.x * blockDim.x * kPacks<V> + threadIdx.x;
  if (begin < walk.packs) {
    map_packs<V>(f, walk.packs - begin, walk.repeated, walk.template find<kPacks<V>>(begin), all,
                 out, in...);
  }
  if (V > 1 && begin < walk.rest) {
    map_packs<1>(f, 1, walk.repeated, walk.find_rest(begin), all, out, in...);
  }
}

/// out = f(in...), where `f` takes and gives packs of any width. `Out` and `In` are types of the
/// bytes of the operands. The output may be one of the inputs, but overlap none otherwise.
template <class Out, class... In, class F, class... Views>
void map(Stream stream, const F& f, const View& out, const Views&... in) {
  static_assert(sizeof...(In) == sizeof...(Views));
  constexpr size_t kWidest = std::max({sizeof(Out), sizeof(In)...});
  constexpr int kWidth = kWidest == 1 ? 8 : static_cast<int>(16 / kWidest);
  constexpr int64_t kMostElements = int64_t{1} << 30;  // of a launch
  constexpr unsigned kFewPacks = 1 << 16;  // for large blocks: few of them leave processors idle
  const View views[] = {out, in...};
  const auto launch_map = [&]<int V>(const Layout& layout) {
    const Walk<1 + sizeof...(In)> walk(layout, V);
    const unsigned threads = walk.packs < kFewPacks ? 64 : kThreads;
    const unsigned in_block = threads * kPacks<V>;
    launch(stream, (walk.packs + in_block - 1) / in_block, threads, map_kernel<V, F, Out, In...>, f,
           walk, out.as<Out>(), in.template as<const In>()...);
  };
  for_each_part(Layout(views), kMostElements, [&](const Layout& part) {
    if (part.takes_packs(views, kWidth)) return launch_map.template operator()<kWidth>(part);
    launch_map.template operator()<1>(part.in_squares());
  });
}

}  // namespace reprise::cuda
