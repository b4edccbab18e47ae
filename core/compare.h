#pragma once
// Whether two tensors are the same, as a C++ bool. They read values: a Graph error inside a trace.

#include "tensor.h"

namespace reprise {

/// Equal shapes and equal values; NaN equals nothing, and types may differ.
REPRISE_API bool equal(const Tensor& a, const Tensor& b);

struct AllcloseOptions {
  double rtol = 1e-5, atol = 1e-8;
  bool equal_nan = false;  ///< NaN counts as close to NaN
};
/// Whether |a - b| <= atol + rtol |b| for all elements, after broadcasting; infinities are close to
/// themselves alone. Shape error for shapes that do not broadcast.
REPRISE_API bool allclose(const Tensor& a, const Tensor& b, const AllcloseOptions& options = {});

}  // namespace reprise
