#pragma once
// Neighbours that a thread reads or writes at once. NVRTC, which has no standard library, compiles
// the file too.

#if !defined(__CUDACC_RTC__)
#include <cuda_runtime.h>

#include <cstdint>
#endif

namespace reprise::cuda {

/// Elements of 16 bytes, the most that one load can fetch.
template <class T>
inline constexpr int kPack = 16 / sizeof(T);

/// N elements side by side.
template <class T, int N>
struct alignas(sizeof(T) * N) Pack {
  T v[N];
};

/// Reads v from p, which is aligned to all of v. (The emulated device checks what is assumed.)
template <class T, int N>
__device__ void load_pack(T (&v)[N], const T* p) {
  using Whole = Pack<T, N>;
  const Whole pack = *static_cast<const Whole*>(__builtin_assume_aligned(p, sizeof(Whole)));
  for (int e = 0; e < N; ++e) v[e] = pack.v[e];
}
/// Writes v to p likewise.
template <class T, int N>
__device__ void store_pack(T* p, const T (&v)[N]) {
  Pack<T, N> pack;
  __builtin_memcpy(&pack, v, sizeof(pack));
#if defined(__CUDA_ARCH__)  // where plain stores of many bytes are cut into pieces
  if constexpr (sizeof(pack) == sizeof(uint4))
    __stcg(reinterpret_cast<uint4*>(p), *reinterpret_cast<const uint4*>(&pack));
  else if constexpr (sizeof(pack) == sizeof(uint2) && sizeof(T) < sizeof(uint2))
    __stcg(reinterpret_cast<uint2*>(p), *reinterpret_cast<const uint2*>(&pack));
  else
#endif
    *static_cast<Pack<T, N>*>(__builtin_assume_aligned(p, sizeof(pack))) = pack;
}

inline bool is_aligned(const void* p, size_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

/// Whether operands, outputs too, begin where packs of 16 bytes can: a dense view need not.
template <class... T>
bool fit_packs(const T*... operands) {
  return (is_aligned(operands, 16) && ...);
}

}  // namespace reprise::cuda
