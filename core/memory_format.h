#pragma once
// MemoryFormat: the order in which the elements of a dense tensor lie. A shape reads [N, C, H, W]
// either way; what is channels-last has the strides of dense [N, H, W, C].

#include <cstdint>
#include <string_view>

#include "shape.h"

namespace reprise {

enum class MemoryFormat : uint8_t { contiguous_format, channels_last };

inline constexpr MemoryFormat contiguous_format = MemoryFormat::contiguous_format;
inline constexpr MemoryFormat channels_last = MemoryFormat::channels_last;

constexpr std::string_view to_string(MemoryFormat format) {
  return format == channels_last ? "channels_last" : "contiguous_format";
}

/// Strides of a dense tensor; `shape` has 4 dimensions for channels_last.
REPRISE_API Strides dense_strides(const Shape& shape, MemoryFormat format);

}  // namespace reprise
