#pragma once
#include "nest.h"

namespace reprise::cpu {

/// Copies rows x columns elements of 1, 2, 4 or 8 bytes; `from` may have steps of 0, `to` may not.
/// The two do not overlap.
void copy_block(int64_t rows, int64_t columns, int64_t element, const Part& to, const Part& from);

}  // namespace reprise::cpu
