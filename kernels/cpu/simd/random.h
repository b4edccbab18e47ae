#pragma once
// The random words of core/philox.h many at a time, once per instruction set.

#include <cstdint>

#include "isa.h"

namespace reprise::cpu {

struct RandomTable {
  /// The words of random_block(seed, first), random_block(seed, first + 1), ...: four for each of
  /// `blocks` blocks.
  void (*words)(uint64_t seed, uint64_t first, int64_t blocks, uint32_t* out);
};

namespace sse2 {
extern const RandomTable random_table;
}
namespace avx2 {
extern const RandomTable random_table;
}
namespace avx512 {
extern const RandomTable random_table;
}

inline const RandomTable& random_table(Isa level = isa()) {
  return pick(level, sse2::random_table, avx2::random_table, avx512::random_table);
}

}  // namespace reprise::cpu
