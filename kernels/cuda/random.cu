// Random and Dropout: element i of a tensor in row-major order is element i of the stream of
// core/philox.h from the given block on, wherever it lies. A pack shares its blocks.

#include "../../core/ops/random.h"

#include <limits>

#include "../../core/random.h"
#include "acc.cuh"
#include "map.cuh"
#include "visit.h"

namespace reprise {
namespace cuda {
namespace {

__global__ void put(int64_t* out, int64_t seed, int64_t first) {
  out[0] = seed;
  out[1] = first;
}

/// The blocks that an int64[2] of RandomBlocks names.
struct Blocks {
  const int64_t* bits;
  int64_t step;

  explicit Blocks(const View& view) : bits(view.as<int64_t>()), step(view.meta->strides[0]) {}
  __device__ RandomBlock at(int64_t i) const {
    const auto first = static_cast<uint64_t>(bits[step]);
    return random_block(static_cast<uint64_t>(bits[0]), first + static_cast<uint64_t>(i));
  }
};

/// Uniform or normal values, scaled and shifted.
template <class T>
struct Drawn {
  Blocks blocks;
  bool normal;
  T shift, scale, last;

  Drawn(const Random& op, const View& of)
      : blocks(of),
        normal(op.normal),
        shift(static_cast<T>(op.low)),
        scale(static_cast<T>(op.normal ? op.high : op.high - op.low)),
        last(op.normal ? std::numeric_limits<T>::infinity()  // rounding must not reach `high`
                       : std::nextafter(static_cast<T>(op.high), shift)) {}

  __device__ NormalPair<T> pair(const RandomBlock& block, int pair) const {
    if (normal) return normal_pair<T>(block, pair);
    return {{uniform<T>(block, 2 * pair), uniform<T>(block, 2 * pair + 1)}};
  }
  __device__ T scaled(T x) const {
    const T y = x * scale + shift;
    return last < y ? last : y;
  }
  template <int V>
  __device__ Pack<T, V> operator()(const Pack<int64_t, V>& index) const {
    static_assert(V == 1 || V == kPerBlock<T>);
    const RandomBlock block = blocks.at(index.v[0] / kPerBlock<T>);
    const int lane = V == 1 ? static_cast<int>(index.v[0] % kPerBlock<T>) : 0;
    Pack<T, V> x;
    for (int i = 0; i < V; ++i) x.v[i] = scaled(pair(block, (lane + i) / 2).value[(lane + i) % 2]);
    return x;
  }
};

/// Which elements are dropped does not depend on the dtype: the stream is one of floats.
template <class T>
struct Dropped {
  using A = Acc<T>;
  Blocks blocks;
  float keep_from;
  A scale;

  template <int V>
  __device__ Pack<T, V> operator()(const Pack<T, V>& x, const Pack<int64_t, V>& index) const {
    constexpr int kLanes = kPerBlock<float>;
    const int skipped = V < kLanes ? static_cast<int>(index.v[0] % kLanes) : 0;
    RandomBlock block;
    Pack<T, V> y;
    for (int i = 0; i < V; ++i) {
      if (i % kLanes == 0) block = blocks.at(index.v[i] / kLanes);
      const A scaled = static_cast<A>(x.v[i]) * scale;
      const bool kept = uniform<float>(block, skipped + i % kLanes) >= keep_from;
      y.v[i] = static_cast<T>(kept ? scaled : A(0));
    }
    return y;
  }
};

}  // namespace
}  // namespace cuda

void RandomBlocks::cuda(const Launch& l) const {
  Generator& generator = default_generator();
  cuda::launch(l.stream, 1, 1, cuda::put, l.out[0].as<int64_t>(),
               static_cast<int64_t>(generator.seed()),
               static_cast<int64_t>(generator.reserve(static_cast<uint64_t>(count))));
}

void Random::cuda(const Launch& l) const {
  const Meta index(l.out[0].meta->shape, int64);
  visit_floating(name, dtype, [&]<class T>() {
    cuda::map<T, cuda::Index>(l.stream, cuda::Drawn<T>(*this, l.in[0]), l.out[0],
                              View{nullptr, &index});
  });
}

void Dropout::cuda(const Launch& l) const {
  const Meta index(l.out[0].meta->shape, int64);
  const cuda::Blocks blocks(l.in[1]);
  cuda::visit_any_floating(name, l.out[0].meta->dtype, [&]<class T>() {
    const auto scale = static_cast<cuda::Acc<T>>(1 / (1 - p));
    const cuda::Dropped<T> dropped{blocks, static_cast<float>(p), scale};
    cuda::map<T, T, cuda::Index>(l.stream, dropped, l.out[0], l.in[0], View{nullptr, &index});
  });
}

}  // namespace reprise
