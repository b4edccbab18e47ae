#pragma once
// Our own matrix products: for what cuBLASLt does not take, and without it.

#include "product.h"

namespace reprise::cuda {

/// Any strides. An element of C is one chain of fused multiply-adds along k, whatever the sizes
/// around it.
void gemm(const Product& p, reprise::Stream stream);

}  // namespace reprise::cuda
