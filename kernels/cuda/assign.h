#pragma once
#include "../../core/op.h"

namespace reprise::cuda {

/// Writes the values of `from` into `to`, converted to its dtype: one shape, any strides, no
/// overlap.
void assign(Stream stream, const View& to, const View& from);

/// The same between two dtypes.
void convert(Stream stream, const View& to, const View& from);

/// The same where one of them has 16 bits.
void convert_half(Stream stream, const View& to, const View& from);

/// Writes the element whose bytes begin at `value`, of the dtype of `to`, everywhere.
void assign_value(Stream stream, const View& to, const void* value);

}  // namespace reprise::cuda
