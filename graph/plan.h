#pragma once
// Plan: where the memory of every value of a graph lies, decided before anything runs. Time is the
// index of a call: code.size() is the moment when outputs are copied, and one more the time after
// the run. What lives in the arena has a slot, and slots may share bytes when their times do not
// meet.
//
//   - Inputs and captures stay where they are. An output that is all of a fresh memory is written
//     where the caller wants it; other outputs are copied there at the end.
//   - Views, After and in-place calls share the memory of their operand.
//   - An op that `overwrites` a dying input writes its output over it: both have one slot.
//   - What the prologue makes for the main part is never overwritten.
//   - What lies on several devices has one part of the arena's offsets for each.

#include <optional>
#include <string>
#include <vector>

#include "graph.h"

namespace reprise {

/// Offsets in the arena are multiples of this many bytes; a GPU loads by larger lines.
constexpr int64_t arena_alignment(Device device) {
  return device.kind == Device::Kind::cuda ? 256 : 64;
}

enum class Home : uint8_t { none, input, capture, output, arena };

/// Where one memory lies, and from which call to which it is in use.
struct Placement {
  Home home = Home::none;
  int32_t index = -1;  ///< which input, capture, output or slot
  int32_t first = 0;   ///< the call that makes it; 0 for what is there before the run
  int32_t last = 0;    ///< the last call that uses it; code.size() + 1 for what outlives the run
  int64_t bytes = 0;
};

/// A range of the arena that nothing else uses during the calls first .. last.
struct Slot {
  int64_t bytes = 0, offset = 0;
  int32_t first = 0, last = 0;
  Device device = {};
};

/// The offsets begin .. begin + bytes - 1 of the arena, and where they lie.
struct ArenaPart {
  Device device;
  int64_t begin = 0, bytes = 0;
};

struct PlanOptions {
  /// Bytes behind every slot that no slot alive at the same time uses: a place for canaries.
  int64_t gap = 0;
};

struct Plan {
  std::vector<Placement> memory;   ///< by ValueId; of roots only, others are Home::none
  std::vector<int32_t> workspace;  ///< by call: its slot, or -1
  std::vector<Slot> slots;
  std::vector<int32_t> copied;   ///< the outputs that are copied to the caller at the end
  std::vector<ArenaPart> parts;  ///< one for each device, also where no slot lies
  int64_t gap = 0;
  int64_t arena_bytes = 0;
  int64_t lower_bound = 0;  ///< bytes of the largest set of slots in use at one time
  int64_t naive_bytes = 0;  ///< bytes of values and workspace without any reuse

  const Placement& of(ValueId root) const { return memory[static_cast<size_t>(root)]; }
  const Slot& slot(int32_t index) const { return slots[static_cast<size_t>(index)]; }
  int32_t calls() const { return static_cast<int32_t>(workspace.size()); }
};

/// `graph` is one that verify accepts. Takes time n log n for n calls.
REPRISE_API Plan make_plan(const Graph& graph, const PlanOptions& options = {});

/// A plan for `smaller` with the offsets of `larger`: none unless both graphs call the same ops on
/// the same values, and all that `smaller` needs fits the slots. So programs for several batch
/// sizes share one arena.
REPRISE_API std::optional<Plan> reuse_plan(const Plan& larger, const Graph& larger_graph,
                                           const Graph& smaller);

/// For each call, and for the moment after outputs were copied, the slots that nobody uses any
/// more.
REPRISE_API std::vector<std::vector<int32_t>> freed_slots(const Plan& plan);

/// Arena, lower bound and sum without reuse, then a table of the largest values.
REPRISE_API std::string memory_report(const Graph& graph, const Plan& plan);

/// A picture (SVG) of the arena over time: one bar for every value and workspace, coloured by the
/// family of its op, under a line for the bytes in use.
REPRISE_API std::string memory_svg(const Graph& graph, const Plan& plan);

}  // namespace reprise
