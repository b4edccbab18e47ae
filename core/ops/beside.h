#pragma once
// Numbers go everywhere: a tensor without dimensions on the CPU may stand beside one of a GPU.

#include "../tensor.h"

namespace reprise::detail {

/// Whether `x` is a number of the CPU and `other` lies on a GPU.
inline bool is_number_beside(const Tensor& other, const Tensor& x) {
  return x.dim() == 0 && other.device().kind == Device::Kind::cuda && x.device() == Device::cpu() &&
         x.has_data();
}

/// `x`, on the GPU of `other` when it is such a number.
inline Tensor beside(const Tensor& other, const Tensor& x) {
  return is_number_beside(other, x) ? x.to(other.device()) : x;
}

}  // namespace reprise::detail
