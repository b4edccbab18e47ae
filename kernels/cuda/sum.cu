// Sum. Floats are added in their own width, those of 16 bits in float, as a tree: within a pack,
// along what a thread reads, across threads, over parts.

#include "sum.cuh"
#include "visit.h"

namespace reprise {

void Sum::cuda(const Launch& l) const {
  const DType dtype = l.in[0].meta->dtype;
  if (!is_floating_point(dtype)) return cuda::sum_integers(l, dims);
  cuda::visit_any_floating(name, dtype, [&]<class T>() { cuda::sum<T, T>(l, dims); });
}

}  // namespace reprise
