// Philox4x32-10 on as many counters as a register has 64-bit lanes. Each of the four words stands
// in the low half of a lane of its own vector; what the products leave in the high halves is
// ignored by the next multiplication and cut off at the end.

#include "random.h"

#include "transpose.h"

namespace reprise::cpu::REPRISE_ISA {
namespace {

using Words = Vec<uint64_t>;

/// The products of the low halves. (The plain AVX-512 intrinsic makes g++ 12 warn of its own
/// operand.)
REPRISE_INLINE Words multiply(const Words& a, const Words& b) {
#if defined(__AVX512F__)
  return (Words)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Words)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (Words)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

struct Blocks {
  Words word[4];
};

REPRISE_INLINE Blocks philox(const Words& index, uint64_t seed) {
  Words c0 = index, c1 = index >> 32, c2 = {}, c3 = {};
  uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Words product0 = multiply(Words{} + 0xD2511F53, c0);
    const Words product1 = multiply(Words{} + 0xCD9E8D57, c2);
    c0 = (product1 >> 32) ^ c1 ^ key0;
    c1 = product1;
    c2 = (product0 >> 32) ^ c3 ^ key1;
    c3 = product0;
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

/// Two words side by side in each lane.
REPRISE_INLINE Words pair(const Words& low, const Words& high) {
  return (low & 0xFFFFFFFF) | (high << 32);
}

void random_words(uint64_t seed, uint64_t first, int64_t blocks, uint32_t* out) {
  constexpr int W = kWidth<uint64_t>;
  for (int64_t i = 0; i < blocks; i += W) {
    const Blocks b = philox(iota<uint64_t>() + (first + static_cast<uint64_t>(i)), seed);
    const Words front = pair(b.word[0], b.word[1]), back = pair(b.word[2], b.word[3]);
    const Words rows[2] = {interleave<0>(front, back, IntsBelow<W>{}),
                           interleave<W / 2>(front, back, IntsBelow<W>{})};
    const int64_t count = blocks - i < W ? blocks - i : W;
    __builtin_memcpy(out + 4 * i, rows, static_cast<size_t>(count) * 16);
  }
}

}  // namespace

constinit const RandomTable random_table = {random_words};

}  // namespace reprise::cpu::REPRISE_ISA
