// Comparisons.

#include "elementwise.cuh"

namespace reprise {
REPRISE_INSTANTIATE(Eq)
REPRISE_INSTANTIATE(Ne)
REPRISE_INSTANTIATE(Lt)
REPRISE_INSTANTIATE(Le)
REPRISE_INSTANTIATE(Gt)
REPRISE_INSTANTIATE(Ge)
}  // namespace reprise
