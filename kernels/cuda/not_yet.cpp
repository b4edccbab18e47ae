// Ops whose kernels are still to come.

#include "../../core/ops/norm.h"

namespace reprise {

#define REPRISE_NOT_YET(T) \
  void T::cuda(const Launch&) const { detail::no_kernel(T::name, Device::cuda()); }

REPRISE_NOT_YET(BatchNorm)
REPRISE_NOT_YET(BatchNormGrad)

}  // namespace reprise
