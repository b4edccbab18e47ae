// Ops whose kernels are still to come.

#include "../../core/ops/cat.h"
#include "../../core/ops/create.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/fused.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/index.h"
#include "../../core/ops/norm.h"
#include "../../core/ops/random.h"
#include "../../core/ops/reduce.h"
#include "../../core/ops/softmax.h"
#include "../../core/ops/view.h"

namespace reprise {

#define REPRISE_NOT_YET(T) \
  void T::cuda(const Launch&) const { detail::no_kernel(T::name, Device::cuda()); }

REPRISE_NOT_YET(Fused)

REPRISE_NOT_YET(LogSoftmaxGatherGrad)

REPRISE_NOT_YET(Gather)
REPRISE_NOT_YET(GatherGrad)
REPRISE_NOT_YET(IndexSelect)
REPRISE_NOT_YET(IndexSelectGrad)

REPRISE_NOT_YET(BatchNorm)
REPRISE_NOT_YET(BatchNormGrad)

}  // namespace reprise
