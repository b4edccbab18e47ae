// Sum. Floats are added in their own width, those of 16 bits in float, as a tree: within a pack,
// along what a thread reads, across threads, over parts.

#include "../../core/ops/reduce.h"
#include "reduce.cuh"

namespace reprise {
namespace cuda {
namespace {

template <class T, class To>
struct Sums : OneOperand<T> {
  using State = Acc<T>;
  To* y;

  __device__ State none() const { return 0; }
  __device__ State join(State a, State b) const { return a + b; }
  __device__ void take(State& s, T v, int64_t) const { s += static_cast<State>(v); }
  template <int N>
  __device__ void take(State& s, const T (&v)[N], int64_t, int64_t) const {
    s += tree_sum<State, N>([&](int e) { return v[e]; });
  }
  __device__ void store(int64_t output, State s) const { y[output] = static_cast<To>(s); }
};

}  // namespace
}  // namespace cuda

void Sum::cuda(const Launch& l) const {
  visit_any_dtype(l.in[0].meta->dtype, [&]<class T>() {
    using In = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    using To = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
    const cuda::Sums<In, To> sums{{l.in[0].as<In>()}, l.out[0].as<To>()};
    cuda::reduce(l.stream, sums, *l.in[0].meta, dims, l.workspace);
  });
}

}  // namespace reprise
