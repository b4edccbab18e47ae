#pragma once
// The GPUs that the kernels were compiled for.

#include <string>

namespace reprise::cuda {

/// 80 for compute capability 8.0: the oldest that has code; 0 when any has.
int oldest_capability();

/// "compute capability 7.5; this build of Reprise is for 8.0 and above"; empty when it has code.
std::string reason_against_capability(int capability, int oldest = oldest_capability());

}  // namespace reprise::cuda
