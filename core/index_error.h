#pragma once
// What ops say of an index out of range, on the CPU at once and of a device once it is waited for.

#include "shape.h"

namespace reprise::detail {

/// "gather: expected indices in [0, 10) along dim 1, got 12 at position [250, 3]"; no dim when it
/// is negative. Index error.
[[noreturn]] REPRISE_API void fail_index(std::string_view op, int dim, int64_t least, int64_t size,
                                         int64_t value, const Shape& position);
/// "cross_entropy: expected class indices in [0, 10), got 12 at position 3", of the targets in
/// row-major order. Index error.
[[noreturn]] REPRISE_API void fail_class(int64_t classes, int64_t value, int64_t position);

/// The index of element `i` in row-major order; counting starts anew behind the last one.
REPRISE_API Shape index_of(int64_t i, const Shape& sizes);

}  // namespace reprise::detail
