#pragma once
// What softmax needs to know of a line, in one pass over it (Milakov and Gimelshein, 2018).

#include "reduce.cuh"
#include "softmax.cuh"

namespace reprise::cuda {

/// The largest value and the sum of exp(x - largest), of what was seen so far.
template <class A>
struct Powers {
  A most, sum;
};

template <class T>
struct PowerSums : OneOperand<T> {
  using State = Powers<Acc<T>>;

  __device__ State none() const { return {lowest<Acc<T>>(), 0}; }
  /// sum * exp(most - to); nothing is below -inf, from which nothing can be taken.
  __device__ static Acc<T> moved(const State& s, Acc<T> to) {
    return s.most == to || s.sum == 0 ? s.sum : s.sum * std::exp(s.most - to);
  }
  __device__ State join(const State& a, const State& b) const {
    const Acc<T> most = Larger()(a.most, b.most);
    return {most, moved(a, most) + moved(b, most)};
  }
  __device__ void take(State& s, T v, int64_t i) const {
    const T pack[] = {v};
    take(s, pack, i, 1);
  }
  template <int N>
  __device__ void take(State& s, const T (&v)[N], int64_t, int64_t) const {
    State pack = none();
    unrolled<N>([&](int e) { pack.most = Larger()(static_cast<Acc<T>>(v[e]), pack.most); });
    pack.sum = tree_sum<Acc<T>, N>([&](int e) {
      const auto value = static_cast<Acc<T>>(v[e]);
      return value == lowest<Acc<T>>() ? Acc<T>(0) : std::exp(value - pack.most);
    });
    s = join(s, pack);
  }
};

}  // namespace reprise::cuda
