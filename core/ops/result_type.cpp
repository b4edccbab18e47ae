#include "../ops.h"

namespace reprise {
namespace {

/// bool, integers, floats.
int category(DType d) { return d == bool_ ? 0 : is_floating_point(d) ? 2 : 1; }

}  // namespace

DType result_type(const Tensor& a, const Tensor& b) {
  if (a.dim() == 0 && b.dim() > 0) return result_type(b, a);
  const bool keeps = a.dim() > 0 && b.dim() == 0 && category(a.dtype()) >= category(b.dtype());
  return keeps ? a.dtype() : promote(a.dtype(), b.dtype());
}

DType result_type(const Tensor& a, Scalar b) {
  if (is_floating_point(a.dtype())) return a.dtype();
  if (b.dtype() == float64) return float32;
  return a.dtype() == bool_ && b.dtype() == int64 ? int64 : a.dtype();
}

}  // namespace reprise
