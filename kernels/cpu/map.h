#pragma once
// Runs a loop over dense elements on operands of any strides. What does not lie dense is gathered,
// block by block, into buffers on the stack and goes through the same loop, so that an element gets
// the same bits in every layout.

#include "nest.h"
#include "simd/loop.h"

namespace reprise::cpu {

/// Calls `loop` for all elements of `operands`, at most kMaxOperands of one shape; the first one
/// gives the order. Bit k of `reads` and `writes`: operand k is read, is written. An operand that
/// is written may be the same view as one that is read, but must not overlap another.
void map(Loop loop, const void* self, std::span<const View> operands, unsigned reads,
         unsigned writes);

/// All operands, of one shape, are dense in row-major order: nothing has to be found out.
bool are_dense(std::span<const View> operands);

}  // namespace reprise::cpu
