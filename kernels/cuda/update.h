#pragma once
// What the kernels of optimizer steps keep in their workspace.

#include <cstddef>

namespace reprise::cuda {

/// What follows from the number of a parameter's step.
struct StepNumbers {
  double step, size, correction;  // correction: of the second moment
};

/// Bytes of the workspace for that many parameters.
constexpr size_t update_workspace(size_t parameters) { return parameters * sizeof(StepNumbers); }

}  // namespace reprise::cuda
