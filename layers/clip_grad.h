#pragma once
// Gradients kept within bounds, between backward and the optimizer's step. Names, arguments and
// formulas are those of torch.nn.utils. All gradients of a device take a few launches, and no value
// is read, so a traced step may clip.

#include <span>

#include "../core/tensor.h"

namespace reprise::nn {

/// Scales all gradients in place by min(1, max_norm / (norm + 1e-6)), where norm is that of all
/// gradients as one vector: with norm_type 2 the root of the sum of squares, with infinity the
/// largest absolute value. Returns the norm before, a 0-dim tensor; 0 without gradients. Value
/// error for another norm_type, for a parameter listed twice, unless max_norm >= 0 and, with
/// error_if_nonfinite, which waits for the device, for a norm that is infinite or NaN.
REPRISE_API Tensor clip_grad_norm_(std::span<const Tensor> params, double max_norm,
                                   double norm_type = 2, bool error_if_nonfinite = false);

/// Clamps all gradients in place to [-value, value]. Value error unless value >= 0.
REPRISE_API void clip_grad_value_(std::span<const Tensor> params, double value);

}  // namespace reprise::nn
