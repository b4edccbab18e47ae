#pragma once
#include "../../core/op.h"

namespace reprise::cpu {

/// Copies `count` elements of x, in row-major order from element `begin` on, one behind another to
/// `to`.
void gather_range(const View& x, int64_t begin, int64_t count, void* to);

}  // namespace reprise::cpu
