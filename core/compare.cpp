#include "compare.h"

#include <limits>

#include "ops.h"

namespace reprise {
bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && all(a.detach() == b.detach()).item<bool>();
}

bool allclose(const Tensor& a, const Tensor& b, const AllcloseOptions& options) {
  const Tensor x = a.detach().to(float64), y = b.detach().to(float64);
  const Tensor difference = abs(x - y),
               finite = difference < std::numeric_limits<double>::infinity();
  const Tensor within = difference <= abs(y) * options.rtol + options.atol;
  Tensor close = maximum(x == y, minimum(within, finite));
  if (options.equal_nan) close = maximum(close, minimum(x != x, y != y));
  return all(close).item<bool>();
}

}  // namespace reprise
