// What there is instead of kernels/cuda in a build without it.

#include "../core/device_runtime.h"

namespace reprise {

FoundRuntime find_device_runtime() {
  return {nullptr,
          "this build of Reprise has no CUDA; install NVIDIA's CUDA toolkit and configure it with "
          "-DREPRISE_CUDA=ON"};
}

}  // namespace reprise
