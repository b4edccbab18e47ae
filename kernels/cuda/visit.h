#pragma once
// The floating types of elements that kernels are made for.

#include "../../core/dtype.h"

namespace reprise::cuda {

/// visit_floating with Half and BFloat16: for kernels that compute in float and round what they
/// write.
template <class F>
decltype(auto) visit_any_floating(std::string_view op, DType t, F&& f) {
  if (t == float16) return f.template operator()<Half>();
  if (t == bfloat16) return f.template operator()<BFloat16>();
  return visit_floating(op, t, std::forward<F>(f));
}

}  // namespace reprise::cuda
