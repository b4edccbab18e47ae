// What nvcc says of the architectures it was told to build for. A C++ compiler, which builds for
// the emulated device, knows of none.

#include "architectures.h"

#include <algorithm>

#include "../../core/error.h"

namespace reprise::cuda {
namespace {

std::string version(int capability) { return text(capability / 10, ".", capability % 10); }

}  // namespace

int oldest_capability() {
#if defined(__CUDA_ARCH_LIST__)
  return std::min({__CUDA_ARCH_LIST__}) / 10;
#else
  return 0;
#endif
}

std::string reason_against_capability(int capability, int oldest) {
  if (capability >= oldest) return {};
  return text("compute capability ", version(capability), "; this build of Reprise is for ",
              version(oldest), " and above");
}

}  // namespace reprise::cuda
