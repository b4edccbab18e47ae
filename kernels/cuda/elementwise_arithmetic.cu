// Elementwise ops that calculate with two operands.

#include "elementwise.cuh"

namespace reprise {
REPRISE_INSTANTIATE(ReluGrad)
REPRISE_INSTANTIATE(Add)
REPRISE_INSTANTIATE(Sub)
REPRISE_INSTANTIATE(Mul)
REPRISE_INSTANTIATE(Div)
REPRISE_INSTANTIATE(Remainder)
REPRISE_INSTANTIATE(Pow)
}  // namespace reprise
