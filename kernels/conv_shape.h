#pragma once
// What the convolution kernels of both devices take: all sizes, and what becomes of the sums.

#include <compare>

#include "../core/ops/conv.h"

namespace reprise {

struct ConvShape {
  int64_t batch, in_channels, height, width;
  int64_t out_channels, kernel_h, kernel_w;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;

  constexpr int64_t out_h() const {
    return (height + 2 * pad_h - dilation_h * (kernel_h - 1) - 1) / stride_h + 1;
  }
  constexpr int64_t out_w() const {
    return (width + 2 * pad_w - dilation_w * (kernel_w - 1) - 1) / stride_w + 1;
  }
  friend auto operator<=>(const ConvShape&, const ConvShape&) = default;
};

enum class ConvPass : uint8_t { forward, input_grad, weight_grad };

/// What becomes of a sum before it is stored: it gets the bias of its channel, is multiplied by the
/// scale and gets the shift of its channel (both or neither), gets the residual, which lies like y,
/// and what is negative becomes 0, each step rounded as an op of its own would. The mask belongs to
/// gradients of the input alone: where it, which lies like the result and may be its memory, is not
/// positive, the sum becomes 0.
template <class T>
struct ConvTail {
  const T* bias = nullptr;
  const T *scale = nullptr, *shift = nullptr;
  const T* residual = nullptr;
  bool relu = false;
  const T* mask = nullptr;
};

/// The convolution of an image, a weight and a batch of these sizes.
inline ConvShape conv_shape(const ConvAttributes& a, int64_t batch, int64_t channels, Pair image,
                            int64_t out_channels, Pair kernel) {
  return {.batch = batch,
          .in_channels = channels,
          .height = image.h,
          .width = image.w,
          .out_channels = out_channels,
          .kernel_h = kernel.h,
          .kernel_w = kernel.w,
          .stride_h = a.stride.h,
          .stride_w = a.stride.w,
          .pad_h = a.padding.h,
          .pad_w = a.padding.w,
          .dilation_h = a.dilation.h,
          .dilation_w = a.dilation.w,
          .groups = a.groups};
}

// For the operands of the ops.

inline ConvShape conv_shape(const Conv2d& op, const Shape& x, const Shape& w) {
  return conv_shape(op, x[0], x[1], {x[2], x[3]}, w[0], {w[2], w[3]});
}
inline ConvShape conv_shape(const Conv2dInputGrad& op, const Shape& gy, const Shape& w) {
  return conv_shape(op, gy[0], w[1] * op.groups, op.size, w[0], {w[2], w[3]});
}
inline ConvShape conv_shape(const Conv2dWeightGrad& op, const Shape& gy, const Shape& x) {
  return conv_shape(op, x[0], x[1], {x[2], x[3]}, gy[1], op.size);
}

}  // namespace reprise
