#pragma once
// A Fused op as its kernels take it: by value, and as bytes that tell one from another.

#include <span>

#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused.h"

namespace reprise::cuda {

inline constexpr size_t kMostFusedOperands = kMostFusedInputs + kMostFusedSteps;

/// Operands are numbered as in Fused: the inputs, then the steps.
struct FusedCode {
  struct Step {
    ElementwiseIndex op;
    uint8_t in[3];
  };

  FusedCode() = default;
  FusedCode(const Fused& op, std::span<const View> in);

  /// Of the element that a step computes with: its last operand's.
  DType computes_in(const Step& step) const {
    return dtypes[step.in[elementwise_arity(step.op) - 1]];
  }

  int operands() const { return results + inputs; }
  /// As many elements as 16 bytes hold of the widest operand; 8 where all are single bytes.
  int width() const;
  /// Packs that a thread reads before it writes.
  int packs() const { return inputs <= 4 ? 2 : 1; }

  uint8_t inputs = 0, steps = 0, results = 0;
  DType dtypes[kMostFusedOperands] = {};  // of each operand
  Step step[kMostFusedSteps] = {};
  uint8_t result[kMostFusedResults] = {};

 private:
  void add_step(int i, const FusedStep& from);
};

/// CUDA C++ of two kernels, "packs" and "elements": a thread of the one takes width() elements that
/// lie side by side at a time, of the other one. Both take a Walk over the results and then the
/// inputs, and their addresses in that order.
std::string source_of(const FusedCode& code);

}  // namespace reprise::cuda
