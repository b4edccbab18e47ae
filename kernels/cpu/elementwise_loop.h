#pragma once
#include "simd/elementwise.h"

namespace reprise::cpu {

/// The loop of an op for the dtype of its last input, of 16 bits too; null where the op does not
/// take it.
Loop elementwise_loop(ElementwiseIndex op, DType dtype);

}  // namespace reprise::cpu
