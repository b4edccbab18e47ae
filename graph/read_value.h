#pragma once
// Values of attributes and parts of types, read from their text: what `append_attribute`
// (../core/op.h) writes. Numbers are limited, so that what is derived from a few of them fits 63
// bits.

#include "../core/device.h"
#include "../core/memory_format.h"
#include "../core/ops/activation.h"
#include "../core/scalar.h"
#include "../core/shape.h"
#include "text_reader.h"

namespace reprise::detail {

inline constexpr int64_t kMostElements = int64_t{1} << 40;
inline constexpr int64_t kMostPixels = INT32_MAX;  ///< in a Pair

void read_value(TextReader& in, bool& value);
void read_value(TextReader& in, int& value);
void read_value(TextReader& in, int64_t& value);
void read_value(TextReader& in, uint64_t& value);
void read_value(TextReader& in, double& value);
void read_value(TextReader& in, Scalar& value);
void read_value(TextReader& in, Shape& value);
void read_value(TextReader& in, Pair& value);
void read_value(TextReader& in, DType& value);
void read_value(TextReader& in, Device& value);
void read_value(TextReader& in, MemoryFormat& value);
void read_value(TextReader& in, Activation& value);

/// "2, None, 3": up to eight numbers; none when there is no word.
Shape read_sizes(TextReader& in);

}  // namespace reprise::detail
