#pragma once
// Random programs: functions of tensors that make the same calls of the public API each time, so
// that one runs eagerly and inside trace.

#include "../../core/ops.h"

namespace reprise::test {

/// A function drawn from a seed. What it calls depends on shapes and dtypes, never on values.
class RandomFunction {
 public:
  /// Without `has_halves` it trains in float32 alone.
  explicit RandomFunction(uint64_t seed, Device device = {}, bool has_halves = true);

  /// Values for its inputs: the same metas and other values for each run.
  Tensors inputs(int run) const;
  /// Fresh tensors for what it captures: parameters, buffers, counters, views of them. It updates
  /// some. The last two are leaves, of which the first has a gradient.
  Tensors captures() const;
  Tensors operator()(const Tensors& inputs, const Tensors& captures) const;

 private:
  uint64_t seed_;
  Device device_;
  bool has_halves_;
};

}  // namespace reprise::test
