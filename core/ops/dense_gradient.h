#pragma once
// Gradients of images, laid out as kernels and the images want them.

#include "../ops.h"

namespace reprise::detail {

/// `gy` [N, C, H, W] dense in `format`, with strides that say so: where it is dense in both formats
/// (one pixel, or one channel) its own may name the other one, which results would then take.
inline Tensor dense_gradient(const Tensor& gy, MemoryFormat format) {
  const Tensor dense = gy.contiguous(format);
  if (dense.meta().memory_format() == format) return dense;
  const Shape& s = gy.shape();
  return dense.reshape({s[0], s[2], s[3], s[1]}).permute({0, 3, 1, 2});
}

}  // namespace reprise::detail
