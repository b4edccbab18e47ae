#pragma once
#include "../../core/op.h"

namespace reprise::cpu {

/// Copies `count` elements of x, in row-major order from element `begin` on, one behind another to
/// `to`.
void gather_range(const View& x, int64_t begin, int64_t count, void* to);

/// After how many elements those of a tensor repeat, by strides of 0: all of them when they do not.
int64_t period_of(const Meta& meta);

}  // namespace reprise::cpu
