#pragma once
// Comparing tensors to the bit.

#include <algorithm>
#include <cstring>

#include "../../core/tensor.h"

namespace reprise::test {

/// Whether all bits are the same. Any NaN is as good as another: which of two an operation passes
/// on is the compiler's choice.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  return visit_any_dtype(a.dtype(), [&]<class T>() {
    const auto *x = static_cast<const T*>(a.raw_data()), *y = static_cast<const T*>(b.raw_data());
    return std::equal(x, x + a.numel(), y, [](const T& p, const T& q) {
      return std::memcmp(&p, &q, sizeof p) == 0 || (p != p && q != q);
    });
  });
}

}  // namespace reprise::test
