#pragma once
// The offsets of slots in the arena: strip packing with fixed times.

#include <optional>
#include <span>

#include "plan.h"

namespace reprise::detail {

/// What a slot takes up: its bytes and the gap behind them in whole units of the alignment.
constexpr int64_t footprint(int64_t bytes, int64_t gap, Device device = {}) {
  const int64_t unit = arena_alignment(device);
  return (bytes + gap + unit - 1) / unit * unit;
}

/// Sets the offsets of the slots on `device`, from `begin` on; how many bytes they take. Takes time
/// n log n.
int64_t lay_out(std::span<Slot> slots, int64_t gap, Device device, int64_t begin);

/// Footprints of the slots in use at each of `times` moments; of one device, or of all.
std::vector<int64_t> bytes_in_use(std::span<const Slot> slots, int64_t gap, int32_t times,
                                  std::optional<Device> device = {});

}  // namespace reprise::detail
