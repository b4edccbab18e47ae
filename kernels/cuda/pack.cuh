#pragma once
// Neighbours that a thread reads or writes at once, and what their values are added up in.

#include <cuda_runtime.h>

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

namespace reprise::cuda {

/// What values of T are added up in; integers wrap around.
template <class T>
using Acc = std::conditional_t<std::is_integral_v<T>, uint64_t,
                               std::conditional_t<std::is_same_v<T, double>, double, float>>;

/// Elements of 16 bytes, the most that one load can fetch.
template <class T>
inline constexpr int kPack = 16 / sizeof(T);

template <class T, int N>
struct alignas(sizeof(T) * N) Packed {
  T v[N];
};

/// f(0), f(1) to f(N - 1) as straight code, however long: what they index stays in registers.
template <int N, class F>
__device__ void unrolled(F f) {
  [&]<int... I>(std::integer_sequence<int, I...>) { (f(I), ...); }
  (std::make_integer_sequence<int, N>());
}

/// Reads v from p, which is aligned to all of v. (The emulated device checks what is assumed.)
template <class T, int N>
__device__ void load_pack(T (&v)[N], const T* p) {
  using Whole = Packed<T, N>;
  const Whole pack = *static_cast<const Whole*>(__builtin_assume_aligned(p, sizeof(Whole)));
  for (int e = 0; e < N; ++e) v[e] = pack.v[e];
}
/// Writes v to p likewise.
template <class T, int N>
__device__ void store_pack(T* p, const T (&v)[N]) {
  Packed<T, N> pack;
  std::memcpy(&pack, v, sizeof(pack));
#if defined(__CUDA_ARCH__)  // where plain stores of 16 bytes are cut into pieces
  if constexpr (sizeof(pack) == sizeof(uint4))
    __stcg(reinterpret_cast<uint4*>(p), *reinterpret_cast<const uint4*>(&pack));
  else
#endif
    *static_cast<Packed<T, N>*>(__builtin_assume_aligned(p, sizeof(pack))) = pack;
}

inline bool is_aligned(const void* p, size_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

/// Whether operands, outputs too, begin where packs of 16 bytes can: a dense view need not.
template <class... T>
bool fit_packs(const T*... operands) {
  return (is_aligned(operands, 16) && ...);
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
