#pragma once

#include "../../core/ops/fused_norm.h"

namespace reprise::cuda {

/// FusedBatchNormGrad with a residual.
void norm_residual_grad(const Launch& l);

}  // namespace reprise::cuda
