#pragma once
#include <cstdint>

namespace reprise::cpu {

/// Treats n elements that lie one behind another in each operand: operands[k] + i, for i < n.
/// `self` holds attributes. The same memory may appear twice.
using Loop = void (*)(const void* self, int64_t n, void* const* operands);

}  // namespace reprise::cpu
