// Elementwise ops that take one of their operands.

#include "elementwise.cuh"

namespace reprise {
REPRISE_INSTANTIATE(Maximum)
REPRISE_INSTANTIATE(Minimum)
REPRISE_INSTANTIATE(Where)
}  // namespace reprise
