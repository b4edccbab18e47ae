#pragma once
// Windows of pooling as the kernels see them: one thread for each result, or for each pixel of a
// gradient. I counts elements: 32 bits where all of them fit.

#include <limits>

#include "../../core/op.h"
#include "../../core/ops/pool.h"
#include "launch.cuh"
#include "visit.h"

namespace reprise::cuda {

/// A window sliding along one axis.
template <class I>
struct PoolAxis {
  I in, out, kernel, stride, padding, dilation;

  __device__ I start(I i) const { return i * stride - padding; }
  /// First place of window i in the image: start, start + dilation, ...
  __device__ I begin(I i) const {
    const I from = start(i);
    return from >= 0 ? from : from + (dilation - 1 - from) / dilation * dilation;
  }
  __device__ I end(I i) const { return std::min(start(i) + (kernel - 1) * dilation + 1, in); }

  // The windows that cover a place, without dilation.
  __device__ I first_window(I place) const {
    const I before = place + padding - kernel;
    return before < 0 ? 0 : before / stride + 1;
  }
  __device__ I end_window(I place) const { return std::min((place + padding) / stride + 1, out); }
};

template <class I>
struct PoolWindow {
  PoolAxis<I> rows, columns;
  int64_t images;  // planes in row-major order; with all their channels in channels-last
  I channels;      // of a pixel, side by side: 1 in row-major order

  __device__ I pixels() const { return rows.in * columns.in; }
  __device__ I results() const { return rows.out * columns.out; }
};

/// What the sum over a window of an average is divided by.
struct PoolDivisor {
  int64_t fixed;  // unless 0
  bool count_padding;

  template <class T, class I>
  __device__ T of(const PoolWindow<I>& window, I row, I column) const {
    if (fixed != 0) return static_cast<T>(fixed);
    return static_cast<T>(size(window.rows, row)) * static_cast<T>(size(window.columns, column));
  }
  template <class I>
  __device__ I size(const PoolAxis<I>& axis, I i) const {
    if (!count_padding) return axis.end(i) - axis.begin(i);
    return std::min(axis.start(i) + axis.kernel, axis.in + axis.padding) - axis.start(i);
  }
};
inline PoolDivisor divisor_of(const AvgPoolAttributes& a) {
  return {a.divisor_override, a.count_include_pad};
}

/// Result `row`, `column` of a channel of an image, from its place among the results of all.
template <class I>
struct PoolPlace {
  I image, row, column, channel, channels;

  __device__ PoolPlace(I i, I height, I width, I side_by_side) : channels(side_by_side) {
    const I pixel = channels == 1 ? i : i / channels;
    channel = i - pixel * channels;
    const I line = pixel / width;
    column = pixel - line * width;
    image = line / height;
    row = line - image * height;
  }
  /// Where pixel 0 of the channel lies, and pixel p.
  __device__ I first(I pixels) const { return image * pixels * channels + channel; }
  __device__ I at(I pixels, I p) const { return first(pixels) + p * channels; }
};

template <class I, class A>
PoolWindow<I> pool_window(const A& a, Pair dilation, const Shape& x, const Shape& y, bool last) {
  const auto axis = [](auto... sizes) { return PoolAxis<I>{static_cast<I>(sizes)...}; };
  return {axis(x[2], y[2], a.kernel_size.h, a.stride.h, a.padding.h, dilation.h),
          axis(x[3], y[3], a.kernel_size.w, a.stride.w, a.padding.w, dilation.w),
          last ? x[0] : x[0] * x[1], last ? static_cast<I>(x[1]) : 1};
}

/// Whether 32 bits hold all that a kernel computes: elements, and places beyond the images.
template <class A>
bool pool_fits_32(const A& a, Pair dilation, const Shape& x, const Shape& y) {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max() / 4;
  const auto reach = [](int64_t in, int64_t kernel, int64_t stride, int64_t dilated) {
    return std::max({in, stride, kernel, (kernel - 1) * dilated});
  };
  return std::max({x.numel(), y.numel(), reach(x[2], a.kernel_size.h, a.stride.h, dilation.h),
                   reach(x[3], a.kernel_size.w, a.stride.w, dilation.w)}) < kMost;
}

/// Calls f.operator()<T, I>(window) for the dtype and the size of the operands.
template <class A, class F>
void visit_pool(std::string_view op, const A& a, Pair dilation, const Meta& x, const Meta& y, F f) {
  const bool last = !x.is_contiguous() || !y.is_contiguous();
  visit_any_floating(op, x.dtype, [&]<class T>() {
    if (pool_fits_32(a, dilation, x.shape, y.shape)) {
      f.template operator()<T>(pool_window<int32_t>(a, dilation, x.shape, y.shape, last));
    } else {
      f.template operator()<T>(pool_window<int64_t>(a, dilation, x.shape, y.shape, last));
    }
  });
}

}  // namespace reprise::cuda
