#pragma once
// One convolution, as cuDNN and our own kernel are told of it.

#include <array>

#include "../conv_shape.h"

namespace reprise::cuda {

/// Its operands of four dimensions lie in one memory format.
struct ConvWork {
  ConvPass pass;
  ConvShape shape;
  DType dtype;
  bool channels_last = false;
  bool bias = false;  ///< of y: to be added to the sums of the forward pass

  friend auto operator<=>(const ConvWork&, const ConvWork&) = default;
};

/// x, weight and y, or their gradients, and the bias, null when there is none.
using ConvOperands = std::array<void*, 4>;

/// From an element of [n, c, h, w] to the next along each dimension.
struct ConvSteps {
  int64_t n, c, h, w;

  /// Of a dense operand with images or kernels of c x h x w.
  static constexpr ConvSteps dense(int64_t c, int64_t h, int64_t w, bool channels_last) {
    if (channels_last) return {c * h * w, 1, w * c, c};
    return {c * h * w, h * w, w, 1};
  }
};

}  // namespace reprise::cuda
