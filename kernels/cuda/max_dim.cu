// MaxDim: a state is the best value so far and its place.

#include <limits>

#include "../../core/ops/reduce.h"
#include "reduce.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T>
struct Best {
  T value;
  int64_t index;
};

template <class T>
struct Extremes : OneOperand<T> {
  using Kept = std::conditional_t<is_half_type<T>, float, T>;
  using State = Best<Kept>;
  T* values;
  int64_t* indices;
  bool largest;

  /// Worse than any element, since its place is behind all.
  __device__ State none() const {
    using Limits = std::numeric_limits<Kept>;
    const Kept least = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
    const Kept most = Limits::has_infinity ? Limits::infinity() : Limits::max();
    return {largest ? least : most, std::numeric_limits<int64_t>::max()};
  }
  __device__ bool is_better(const State& a, const State& b) const {
    const bool a_is_nan = a.value != a.value, b_is_nan = b.value != b.value;
    if (a_is_nan != b_is_nan) return a_is_nan;
    if (a_is_nan || a.value == b.value) return a.index < b.index;
    return (a.value > b.value) == largest;
  }
  __device__ State join(const State& a, const State& b) const { return is_better(a, b) ? a : b; }
  __device__ void take(State& s, T v, int64_t i) const {
    s = join(State{static_cast<Kept>(v), i}, s);
  }
  template <int N>
  __device__ void take(State& s, const T (&v)[N], int64_t i, int64_t step) const {
    for (int e = 0; e < N; ++e) take(s, v[e], i + e * step);
  }
  __device__ void store(int64_t output, const State& s) const {
    values[output] = static_cast<T>(s.value);
    indices[output] = s.index;
  }
};

}  // namespace
}  // namespace cuda

void MaxDim::cuda(const Launch& l) const {
  const View& x = l.in[0];
  const Shape dims = x.meta->shape.empty() ? Shape{} : Shape{dim};
  visit_any_dtype(x.meta->dtype, [&]<class T>() {
    using In = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    const cuda::Extremes<In> extremes{
        {x.as<In>()}, l.out[0].as<In>(), l.out[1].as<int64_t>(), largest};
    cuda::reduce(l.stream, extremes, *x.meta, dims, l.workspace);
  });
}

}  // namespace reprise
