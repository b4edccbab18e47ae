#pragma once
// The reduction of Sum.

#include "../../core/ops/reduce.h"
#include "reduce.cuh"

namespace reprise::cuda {

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

template <class In, class To>
void sum(const Launch& l, const Shape& dims) {
  const Sums<In, To> sums{{l.in[0].as<In>()}, l.out[0].as<To>()};
  reduce(l.stream, sums, *l.in[0].meta, dims, l.workspace);
}

/// To int64; bool counts.
void sum_integers(const Launch& l, const Shape& dims);

}  // namespace reprise::cuda
