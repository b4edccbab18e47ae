#pragma once
// The loops of elementwise ops, once per instruction set. operands[0] is the output, the inputs
// follow; `self` is the op.

#include "../../../core/dtype.h"
#include "../../../core/ops/elementwise.h"
#include "isa.h"
#include "loop.h"

namespace reprise::cpu {

/// The family without Copy, which has a loop for every pair of dtypes (../copy.cpp).
inline constexpr auto kElementwiseCount = static_cast<size_t>(ElementwiseIndex::Copy);

/// Loops by op and by dtype of the last input; null where the op does not take the dtype.
struct ElementwiseTable {
  Loop loops[kElementwiseCount][kDTypeCount];

  Loop at(ElementwiseIndex op, DType dtype) const {
    return loops[static_cast<size_t>(op)][static_cast<size_t>(dtype)];
  }
};

namespace sse2 {
extern const ElementwiseTable elementwise_table;
}
namespace avx2 {
extern const ElementwiseTable elementwise_table;
}
namespace avx512 {
extern const ElementwiseTable elementwise_table;
}

inline const ElementwiseTable& elementwise_table(Isa level = isa()) {
  return pick(level, sse2::elementwise_table, avx2::elementwise_table, avx512::elementwise_table);
}

}  // namespace reprise::cpu
