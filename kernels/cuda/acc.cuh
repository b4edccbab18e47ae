#pragma once
// How kernels add up: in which type, in straight code, as trees.

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>
#include <utility>

namespace reprise::cuda {

/// What values of T are added up in; integers wrap around.
template <class T>
using Acc = std::conditional_t<std::is_integral_v<T>, uint64_t,
                               std::conditional_t<std::is_same_v<T, double>, double, float>>;

/// f(0), f(1) to f(N - 1) as straight code, however long: what they index stays in registers.
template <int N, class F>
__device__ void unrolled(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(I), ...); }
  (std::make_integer_sequence<int, N>());
}

/// The sum of N values as a tree: log2(N) roundings on the way of each.
template <class A, int N, class F>
__device__ A tree_sum(F value) {
  A t[N];
  for (int e = 0; e < N; ++e) t[e] = static_cast<A>(value(e));
  for (int w = N / 2; w > 0; w /= 2) {
    for (int e = 0; e < w; ++e) t[e] += t[e + w];
  }
  return t[0];
}

}  // namespace reprise::cuda
