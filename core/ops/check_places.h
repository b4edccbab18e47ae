#pragma once
// What gradients of max pooling check of the places where the largest values stood.

#include <algorithm>

#include "check_operands.h"
#include "pool.h"

namespace reprise {

/// `expected`: the places that the pooling makes.
inline void check_places(std::string_view op, const Meta& places, const Meta& expected) {
  check(places.dtype == expected.dtype && places.shape == expected.shape, ErrorKind::Shape, op,
        ": expected places ", expected.dtype, expected.shape, ", got ", places.dtype, places.shape);
}

/// (gy, places) -> the gradient with respect to images of `size`, of which `pool` made them.
template <class Pool>
Metas infer_max_pool_grad(std::string_view op, const Pool& pool, Pair size,
                          std::span<const Meta> in) {
  check_count(op, in, 2);
  check_dense(op, in);
  const Shape& gy = in[0].shape;
  check(gy.size() == 4, ErrorKind::Shape, op, ": expected gy [N, C, H, W], got ", gy);
  const Meta x = checked_meta(op, {gy[0], gy[1], size.h, size.w}, in[0].dtype);
  int64_t strides = 1;  // of an empty batch they must fit, too
  for (const int64_t s : x.shape) strides = checked_mul(op, strides, std::max<int64_t>(s, 1));
  const Metas pooled = pool.infer({&x, 1});
  check(gy == pooled[0].shape, ErrorKind::Shape, op, ": expected gy of shape ", pooled[0].shape,
        ", got ", gy);
  check_places(op, in[1], pooled[1]);
  return {x};
}

}  // namespace reprise
