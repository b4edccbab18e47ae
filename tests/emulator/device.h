#pragma once
// What nvcc knows and a C++ compiler does not: included in front of kernels/cuda when a C++
// compiler builds it, so that the kernels run on the host. A block's threads are coroutines of the
// thread that launches; __shared__ variables are that thread's; blocks run one after another.

#include <cuda_runtime.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>  // uses the builtin, before it is checked
#include <type_traits>

#undef __global__
#undef __device__
#undef __host__
#undef __constant__
#undef __shared__
#undef __forceinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__ constinit thread_local  // constinit: no function that sets it up
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

inline constexpr int kLanes = 32;
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;

namespace reprise::emulator {

/// Queues `thread`, the body of every thread of `kernel`, for a grid.
cudaError_t launch_grid(const cudaLaunchConfig_t& config, const void* kernel,
                        std::function<void()> thread);

/// What `__builtin_assume_aligned` is on the host: checked. A launch that assumes what is not so
/// fails.
void* aligned(const void* p, size_t bytes);

void wait_for_block();
void wait_for_warp(unsigned mask);
/// What lane `from` of the warp gave; all lanes of the mask must call it together.
uint64_t exchange(unsigned mask, uint64_t mine, int from);
int lane();

template <class T>
T shuffle(unsigned mask, T value, int from, int width) {
  static_assert(sizeof(T) <= sizeof(uint64_t) && std::is_trivially_copyable_v<T>);
  const int first = lane() / width * width;
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, from < first || from >= first + width ? lane() : from);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

template <class... P, class... A>
cudaError_t launch(const cudaLaunchConfig_t* config, void (*kernel)(P...), A&&... args) {
  return launch_grid(*config, reinterpret_cast<const void*>(kernel),
                     [kernel, ... a = static_cast<std::decay_t<P>>(args)] { kernel(a...); });
}

template <class T, class F>
T exchange_at(T* place, F f) {
  const T before = *place;
  *place = f(before);
  return before;
}

}  // namespace reprise::emulator

#define cudaLaunchKernelEx ::reprise::emulator::launch
#define __builtin_assume_aligned ::reprise::emulator::aligned

inline void __syncthreads() { reprise::emulator::wait_for_block(); }
inline void __syncwarp(unsigned mask = ~0U) { reprise::emulator::wait_for_warp(mask); }
inline void __threadfence() {}
inline void __threadfence_system() {}
template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
  const int first = reprise::emulator::lane() / width * width;
  return reprise::emulator::shuffle(mask, value, first + from % width, width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with, int width = 32) {
  return reprise::emulator::shuffle(mask, value, reprise::emulator::lane() ^ with, width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int from = reprise::emulator::lane() + static_cast<int>(by);
  return reprise::emulator::shuffle(mask, value, from, width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32) {
  const int from = reprise::emulator::lane() - static_cast<int>(by);
  return reprise::emulator::shuffle(mask, value, from, width);
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned votes = 0;
  for (int i = 0; i < kLanes; ++i) {
    const bool asked = (mask >> i & 1U) != 0;
    const int from = asked ? i : reprise::emulator::lane();
    const uint64_t vote = reprise::emulator::exchange(mask, predicate != 0, from);
    if (asked && vote != 0) votes |= 1U << i;
  }
  return votes;
}
inline int __any_sync(unsigned mask, int p) { return __ballot_sync(mask, p) != 0; }
inline int __all_sync(unsigned mask, int p) { return __ballot_sync(mask, !p) == 0; }
inline unsigned __match_any_sync(unsigned mask, unsigned long long value) {
  unsigned same = 0;
  for (int i = 0; i < kLanes; ++i) {
    const bool asked = (mask >> i & 1U) != 0;
    const int from = asked ? i : reprise::emulator::lane();
    if (reprise::emulator::exchange(mask, value, from) == value && asked) same |= 1U << i;
  }
  return same;
}

// exp(x^2) erfc x, which the C library lacks.
inline double erfcx(double x) {
  const long double wide = x;
  return static_cast<double>(std::exp(wide * wide) * std::erfc(wide));
}
inline float erfcxf(float x) { return static_cast<float>(erfcx(static_cast<double>(x))); }

template <class T>
T __ldg(const T* p) {
  return *p;
}
template <class T>
T atomicAdd(T* place, std::type_identity_t<T> value) {
  return reprise::emulator::exchange_at(place, [&](T v) { return static_cast<T>(v + value); });
}
template <class T>
T atomicMax(T* place, std::type_identity_t<T> value) {
  return reprise::emulator::exchange_at(place, [&](T v) { return v < value ? value : v; });
}
template <class T>
T atomicExch(T* place, std::type_identity_t<T> value) {
  return reprise::emulator::exchange_at(place, [&](T) { return value; });
}
template <class T>
T atomicCAS(T* place, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return reprise::emulator::exchange_at(place, [&](T v) { return v == expected ? value : v; });
}
template <class T>
T atomicExch_system(T* place, std::type_identity_t<T> value) {
  return atomicExch(place, value);
}
template <class T>
T atomicCAS_system(T* place, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return atomicCAS(place, expected, value);
}

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
inline float rsqrtf(float a) { return 1 / std::sqrt(a); }
inline double rsqrt(double a) { return 1 / std::sqrt(a); }
inline int __float_as_int(float a) { return std::bit_cast<int>(a); }
inline unsigned __float_as_uint(float a) { return std::bit_cast<unsigned>(a); }
inline float __int_as_float(int a) { return std::bit_cast<float>(a); }
inline float __uint_as_float(unsigned a) { return std::bit_cast<float>(a); }
inline long long __double_as_longlong(double a) { return std::bit_cast<long long>(a); }
inline double __longlong_as_double(long long a) { return std::bit_cast<double>(a); }
inline int __popc(unsigned a) { return std::popcount(a); }
inline int __clz(int a) { return std::countl_zero(static_cast<unsigned>(a)); }
inline int __ffs(int a) { return a == 0 ? 0 : std::countr_zero(static_cast<unsigned>(a)) + 1; }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(uint64_t{a} * b >> 32);
}
