#pragma once
// cuBLASLt on the emulated device: the part of it that kernels/cuda calls, with plain loops in the
// host's memory. What NVIDIA's documentation forbids is refused and kept as a misuse, since callers
// may take a refusal for a wish to fall back.

#include <string>

#include "../../kernels/cuda/libraries.h"

namespace reprise::emulator {

/// While one lives, the device has cuBLASLt.
class PlayedBlas {
 public:
  PlayedBlas();
  PlayedBlas(const PlayedBlas&) = delete;
  ~PlayedBlas();

  /// Products so far that were called for, and those with a certain epilogue.
  static int products();
  static int products(cublasLtEpilogue_t epilogue);
  /// What was asked for against the rules since the last call, one line each; "" when nothing was.
  static std::string misuses();
};

}  // namespace reprise::emulator
