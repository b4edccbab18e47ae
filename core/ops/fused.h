#pragma once
// Fused: a straight line of elementwise ops as one op, so that what passes from one to the next
// stays in the cache. Made by graph passes, after differentiation: it has no gradient.

#include <string>
#include <vector>

#include "../op.h"

namespace reprise {

/// A call of an elementwise op, or of Copy as dtype conversion, on earlier operands: 0 .. inputs -
/// 1 are the inputs of the whole, then comes one for each step.
struct FusedStep {
  OpRef op;
  SmallVector<int64_t, 3> in;
};
REPRISE_API bool operator==(const FusedStep& a, const FusedStep& b);
/// "copy {dtype=float32}(2)"
REPRISE_API std::string to_string(const FusedStep& step);

/// What a Fused op holds at most, so that its kernel need not allocate.
inline constexpr size_t kMostFusedSteps = 32, kMostFusedInputs = 16, kMostFusedResults = 8;

/// Inputs of one shape and any strides (0 where broadcast) -> the operands numbered in `results`,
/// which are steps, none twice; dense. The same bits as the single ops.
struct Fused {
  std::vector<FusedStep> steps;
  std::vector<int64_t> results;
  static constexpr std::string_view name = "fused";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  static constexpr unsigned overwrites = ~0U;
  auto tie() const { return std::tuple(Attr("steps", steps), Attr("results", results)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

}  // namespace reprise
