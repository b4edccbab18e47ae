#pragma once
// Counter-based random numbers: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011. Block b of a seed is a pure function of (seed, b), so any thread, device or
// replay computes any element alone. Everything is made of exactly rounded operations that are
// never contracted: CPU and GPU get the same bits.

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>

#include "export.h"

namespace reprise {

/// Four random words of 32 bits.
struct RandomBlock {
  uint32_t word[4];
};

/// Ten rounds of Philox4x32 on a counter under a 64-bit key, low word first.
REPRISE_HD inline RandomBlock philox4x32(RandomBlock counter, uint64_t key) {
  uint32_t key0 = static_cast<uint32_t>(key), key1 = static_cast<uint32_t>(key >> 32);
  uint32_t* c = counter.word;
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * c[0], product1 = uint64_t{0xCD9E8D57} * c[2];
    c[0] = static_cast<uint32_t>(product1 >> 32) ^ c[1] ^ key0;
    c[1] = static_cast<uint32_t>(product1);
    c[2] = static_cast<uint32_t>(product0 >> 32) ^ c[3] ^ key1;
    c[3] = static_cast<uint32_t>(product0);
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return counter;
}

/// Block `index` of the stream of `seed`.
REPRISE_HD inline RandomBlock random_block(uint64_t seed, uint64_t index) {
  const uint32_t low = static_cast<uint32_t>(index), high = static_cast<uint32_t>(index >> 32);
  return philox4x32({{low, high, 0, 0}}, seed);
}

/// How many elements of float or double one block gives.
template <std::floating_point T>
inline constexpr int kPerBlock = static_cast<int>(16 / sizeof(T));

/// Element `lane` of a block in [0, 1): a float has 24 random bits, a double 53.
template <std::floating_point T>
REPRISE_HD inline T uniform(const RandomBlock& block, int lane) {
  if constexpr (sizeof(T) == 4) {
    return static_cast<float>(block.word[lane] >> 8) * 0x1p-24f;
  } else {
    const uint64_t bits = uint64_t{block.word[2 * lane + 1]} << 32 | block.word[2 * lane];
    return static_cast<double>(bits >> 11) * 0x1p-53;
  }
}

/// Two independent standard normal values.
template <std::floating_point T>
struct NormalPair {
  T value[2];
};

namespace detail {

/// a * b + c rounded twice; nvcc would contract the plain expression.
REPRISE_HD inline float mul_add(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(__fmul_rn(a, b), c);
#else
  return a * b + c;
#endif
}
REPRISE_HD inline double mul_add(double a, double b, double c) {
#if defined(__CUDA_ARCH__)
  return __dadd_rn(__dmul_rn(a, b), c);
#else
  return a * b + c;
#endif
}

/// coefficient[0] + coefficient[1] x + ... of `terms` terms
template <class T>
REPRISE_HD inline T polynomial(T x, const T* coefficient, int terms) {
  T sum = coefficient[terms - 1];
  for (int k = terms - 2; k >= 0; --k) sum = mul_add(sum, x, coefficient[k]);
  return sum;
}

/// ln u for u in (0, 1], no subnormal: u = 2^e m with m in [sqrt 1/2, sqrt 2), and
/// ln m = 2 atanh s = 2 (s + s^3 / 3 + s^5 / 5 + ...) with s = (m - 1) / (m + 1).
REPRISE_HD inline float log_of(float u) {
  constexpr int kTerms = 4;
  constexpr float kAtanh[] = {1 / 3.f, 1 / 5.f, 1 / 7.f, 1 / 9.f};
  int32_t bits;
  std::memcpy(&bits, &u, sizeof u);
  const int32_t exponent = (bits - 0x3F3504F3) >> 23;  // the bits of sqrt 1/2
  bits -= exponent * (1 << 23);
  std::memcpy(&u, &bits, sizeof u);
  const float s = (u - 1) / (u + 1), z = s * s;
  const float log_m = 2 * mul_add(s * z, polynomial(z, kAtanh, kTerms), s);
  return mul_add(static_cast<float>(exponent), 0.693147180559945309f, log_m);
}
REPRISE_HD inline double log_of(double u) {
  constexpr int kTerms = 10;
  constexpr double kAtanh[] = {1 / 3.,  1 / 5.,  1 / 7.,  1 / 9.,  1 / 11.,
                               1 / 13., 1 / 15., 1 / 17., 1 / 19., 1 / 21.};
  int64_t bits;
  std::memcpy(&bits, &u, sizeof u);
  const int64_t exponent = (bits - 0x3FE6A09E667F3BCD) >> 52;
  bits -= exponent * (int64_t{1} << 52);
  std::memcpy(&u, &bits, sizeof u);
  const double s = (u - 1) / (u + 1), z = s * s;
  const double log_m = 2 * mul_add(s * z, polynomial(z, kAtanh, kTerms), s);
  return mul_add(static_cast<double>(exponent), 0.693147180559945309, log_m);
}

/// cos and sin of 2 pi v for v in [0, 1): the nearest quarter turn, and Taylor series for the rest.
template <std::floating_point T>
REPRISE_HD inline NormalPair<T> unit_circle(T v) {
  constexpr int kTerms = sizeof(T) == 4 ? 5 : 9;
  constexpr T kCos[] = {1,
                        T(-1. / 2),
                        T(1. / 24),
                        T(-1. / 720),
                        T(1. / 40320),
                        T(-1. / 3628800),
                        T(1. / 479001600),
                        T(-1. / 87178291200),
                        T(1. / 20922789888000)};
  constexpr T kSin[] = {1,
                        T(-1. / 6),
                        T(1. / 120),
                        T(-1. / 5040),
                        T(1. / 362880),
                        T(-1. / 39916800),
                        T(1. / 6227020800),
                        T(-1. / 1307674368000),
                        T(1. / 355687428096000)};
  const int quarter = static_cast<int>(4 * v + T(0.5));
  const T x = (4 * v - static_cast<T>(quarter)) * T(1.57079632679489662), z = x * x;
  const T c = polynomial(z, kCos, kTerms), s = x * polynomial(z, kSin, kTerms);
  const T a = quarter & 1 ? s : c, b = quarter & 1 ? c : s;
  return {{(quarter + 1) & 2 ? -a : a, quarter & 2 ? -b : b}};
}

}  // namespace detail

/// Box-Muller on the uniform elements 2 pair and 2 pair + 1 of a block: pair 0 or 1 of a float
/// block, 0 of a double one. The radius uses all bits of its element, for the tail.
template <std::floating_point T>
REPRISE_HD inline NormalPair<T> normal_pair(const RandomBlock& block, int pair) {
  T u;  // in (0, 1]
  if constexpr (sizeof(T) == 4) {
    u = detail::mul_add(static_cast<float>(block.word[2 * pair]), 0x1p-32f, 0x1p-33f);
  } else {
    const uint64_t bits = uint64_t{block.word[1]} << 32 | block.word[0];
    u = detail::mul_add(static_cast<double>(bits), 0x1p-64, 0x1p-65);
  }
  const T radius = std::sqrt(-2 * detail::log_of(u));
  const NormalPair<T> point = detail::unit_circle(uniform<T>(block, 2 * pair + 1));
  return {{radius * point.value[0], radius * point.value[1]}};
}

/// Element i of the stream that starts at block `first` of `seed`: uniform in [0, 1).
template <std::floating_point T>
REPRISE_HD inline T uniform_at(uint64_t seed, uint64_t first, uint64_t i) {
  return uniform<T>(random_block(seed, first + i / kPerBlock<T>),
                    static_cast<int>(i % kPerBlock<T>));
}

/// Element i of the stream that starts at block `first` of `seed`: standard normal.
template <std::floating_point T>
REPRISE_HD inline T normal_at(uint64_t seed, uint64_t first, uint64_t i) {
  const int lane = static_cast<int>(i % kPerBlock<T>);
  return normal_pair<T>(random_block(seed, first + i / kPerBlock<T>), lane / 2).value[lane % 2];
}

}  // namespace reprise
