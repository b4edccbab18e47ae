#pragma once
// Our own matrix products: for what cuBLASLt does not take, and without it.

#include "product.h"

namespace reprise::cuda {

/// Any strides. An element of C is one chain of fused multiply-adds along k, whatever the sizes
/// around it.
void gemm(const Product& p, reprise::Stream stream);

/// The same for few rows or few columns, in less time; false for more than 16 of both.
bool try_thin_gemm(const Product& p, reprise::Stream stream);

}  // namespace reprise::cuda
