#pragma once
// What a compiled step of training saves.

#include <reprise/reprise.h>

struct StepCost {
  double images_per_second = 0;
  int64_t bytes = 0;  ///< memory besides that of parameters, optimizer and images
};

struct StepCosts {
  StepCost compiled, eager;
};

/// Of steps on `batch_size` random images of that shape, the fastest of a few. They train the
/// model.
StepCosts measure_steps(reprise::SymbolicModel& model, reprise::optim::Optimizer& optimizer,
                        int64_t batch_size, const reprise::Shape& image);
