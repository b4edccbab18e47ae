#pragma once
#include "../../core/op.h"
#include "simd/loop.h"

namespace reprise::cpu {

/// Writes the values of `from` into `to`, converted to its dtype: one shape, any strides, no
/// overlap.
void assign(const View& to, const View& from);

/// Writes `value`, an element of the dtype of `to`, everywhere.
void assign_value(const View& to, const void* value);

/// The loop that converts dense elements from one dtype to another.
Loop conversion_loop(DType to, DType from);

}  // namespace reprise::cpu
