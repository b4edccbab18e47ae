#pragma once
// A step of training for random programs.

#include <random>

#include "../../core/ops.h"

namespace reprise::test {

/// Numbers that follow from a seed alone.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed * 0x9e3779b97f4a7c15 + 1) {}
  int64_t below(int64_t n) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(n)); }
  int64_t between(int64_t low, int64_t high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }

 private:
  std::mt19937_64 engine_;
};

/// What random programs capture, first what train_once trains.
enum Captured : size_t {
  kWeight,
  kBias,
  kFilter,
  kFilterBias,
  kScale,
  kTrained,
  kMean = kTrained,
  kVar,
  kCount,
  kState,
  kPartOfState,
  kWide,
  kRate,
  kGradient,                         // of each that is trained,
  kVelocity = kGradient + kTrained,  // and its state
  kStep = kVelocity + kTrained,
  kParam = kStep + kTrained,
  kFreshParam,
};

/// Gradients of a network, made anew or added up in captures, and steps of some parameters, which
/// are captures, too. Returns some of what it made.
Tensors train_once(Dice& dice, const Tensors& inputs, const Tensors& captures, bool has_halves);

}  // namespace reprise::test
