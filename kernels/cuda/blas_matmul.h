#pragma once
// Matrix products by cuBLASLt.

#include "product.h"

namespace reprise::cuda {

/// False when cuBLASLt is not there or does not know how. `workspace` holds product_workspace
/// bytes.
bool try_blas(const Product& p, void* workspace, reprise::Stream stream);

}  // namespace reprise::cuda
