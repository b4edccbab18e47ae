#pragma once
// The offsets of slots in the arena: strip packing with fixed times.

#include <span>

#include "plan.h"

namespace reprise::detail {

/// What a slot takes up: its bytes and the gap behind them in whole units of the alignment.
constexpr int64_t footprint(int64_t bytes, int64_t gap) {
  return (bytes + gap + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

/// Sets the offsets; the bytes of the arena. Takes time n log n.
int64_t lay_out(std::span<Slot> slots, int64_t gap);

/// Footprints of the slots in use at each of `times` moments.
std::vector<int64_t> bytes_in_use(std::span<const Slot> slots, int64_t gap, int32_t times);

}  // namespace reprise::detail
