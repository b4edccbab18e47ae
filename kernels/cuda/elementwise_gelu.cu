// GELU, exact and approximate, and the gradients of both.

#include "elementwise.cuh"

namespace reprise {
REPRISE_INSTANTIATE(Gelu)
REPRISE_INSTANTIATE(GeluGrad)
REPRISE_INSTANTIATE(GeluTanh)
REPRISE_INSTANTIATE(GeluTanhGrad)
}  // namespace reprise
