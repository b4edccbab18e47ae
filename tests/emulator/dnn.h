#pragma once
// The part of cuDNN's graph interface that kernels/cuda calls, for the emulated device.

#include "../../kernels/cuda/libraries.h"

#if defined(REPRISE_HAS_CUDNN)

namespace reprise::emulator {

/// Plays cuDNN while it lives.
class PlayedDnn {
 public:
  PlayedDnn();
  ~PlayedDnn();
  PlayedDnn(const PlayedDnn&) = delete;
  PlayedDnn& operator=(const PlayedDnn&) = delete;

  /// No plan can be made from now on, for this reason; for success they can.
  void refuse_plans(cudnnStatus_t reason) const;

  /// Plans that were executed or captured so far, in the life of the process.
  static int executions();
};

}  // namespace reprise::emulator

#endif
