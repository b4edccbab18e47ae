#pragma once
// Matrix products by cuBLASLt.

#include "product.h"

namespace reprise::cuda {

/// Whether cuBLASLt is there and knows how.
bool can_blas(const Product& p, const BlasEpilogue& epilogue);
/// False when it cannot. `workspace` holds product_workspace bytes.
bool try_blas(const Product& p, const BlasEpilogue& epilogue, void* workspace,
              reprise::Stream stream);

}  // namespace reprise::cuda
