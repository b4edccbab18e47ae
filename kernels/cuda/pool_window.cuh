#pragma once
// Windows of pooling as the kernels see them: one thread for each result, or for each pixel of a
// gradient, of one channel in row-major order, of W neighbouring ones in channels-last. I counts
// elements: 32 bits where all of them fit.

#include <limits>

#include "../../core/op.h"
#include "../../core/ops/pool.h"
#include "divider.cuh"
#include "launch.cuh"
#include "pack.cuh"
#include "visit.h"

namespace reprise::cuda {

/// Divides numbers that are not negative.
template <class I>
struct PoolDivider : Divider<std::make_unsigned_t<I>> {
  using Count = std::make_unsigned_t<I>;

  explicit PoolDivider(I by) : Divider<Count>(static_cast<Count>(by)) {}
  __device__ I quotient(I n) const {
    return static_cast<I>(Divider<Count>::quotient(static_cast<Count>(n)));
  }
};

/// A window sliding along one axis.
template <class I>
struct PoolAxis {
  I in, out, kernel, stride, padding, dilation;
  PoolDivider<I> by_in{in}, by_out{out}, by_stride{stride};

  __device__ I start(I i) const { return i * stride - padding; }
  /// First place of window i in the image: start, start + dilation, ...
  __device__ I begin(I i) const {
    const I from = start(i);
    return from >= 0 ? from : from + (dilation - 1 - from) / dilation * dilation;
  }
  /// How far a window reaches, of which dilation leaves places out.
  __device__ I reach() const { return (kernel - 1) * dilation + 1; }
  __device__ I end(I i) const { return std::min(start(i) + reach(), in); }

  // The windows that reach over a place.
  __device__ I first_window(I place) const {
    const I before = place + padding - reach();
    return before < 0 ? 0 : by_stride.quotient(before) + 1;
  }
  __device__ I end_window(I place) const {
    return std::min(by_stride.quotient(place + padding) + 1, out);
  }
};

template <class I>
struct PoolWindow {
  PoolAxis<I> rows, columns;
  int64_t images;  // planes in row-major order; with all their channels in channels-last
  I channels;      // of a pixel, side by side: 1 in row-major order
  PoolDivider<I> by_channels{channels};

  __device__ I pixels() const { return rows.in * columns.in; }
  __device__ I results() const { return rows.out * columns.out; }
};

/// What the sum over a window of an average is divided by.
struct AverageDivisor {
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
inline AverageDivisor divisor_of(const AvgPoolAttributes& a) {
  return {a.divisor_override, a.count_include_pad};
}

/// Where an element stands: `row`, `column` of a channel of an image.
template <class I>
struct PoolPlace {
  I image, row, column, channel, channels;

  /// From its place among the results, or the pixels, of all images.
  __device__ static PoolPlace of_result(const PoolWindow<I>& window, I i) {
    return {window, i, window.rows.by_out, window.columns.by_out};
  }
  __device__ static PoolPlace of_pixel(const PoolWindow<I>& window, I i) {
    return {window, i, window.rows.by_in, window.columns.by_in};
  }
  /// Where pixel 0 of the channel lies, and pixel p.
  __device__ I first(I pixels) const { return image * pixels * channels + channel; }
  __device__ I at(I pixels, I p) const { return first(pixels) + p * channels; }

 private:
  __device__ PoolPlace(const PoolWindow<I>& window, I i, const PoolDivider<I>& height,
                       const PoolDivider<I>& width)
      : channels(window.channels) {
    const I pixel = window.by_channels.quotient(i);
    channel = i - pixel * channels;
    const I line = width.quotient(pixel);
    column = pixel - line * static_cast<I>(width.divisor);
    image = height.quotient(line);
    row = line - image * static_cast<I>(height.divisor);
  }
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

/// Whether packs of `width` elements begin where they can be read at once.
inline bool pool_packs_aligned(const Launch& l, int width) {
  const auto aligned = [width](const View& v) {
    return is_aligned(v.data, size_of(v.meta->dtype) * static_cast<size_t>(width));
  };
  return std::all_of(l.in.begin(), l.in.end(), aligned) &&
         std::all_of(l.out.begin(), l.out.end(), aligned);
}

/// Calls f.operator()<T, W>(window) for the dtype and the sizes of `l`, which pools images like x
/// into some like y.
template <class A, class F>
void visit_pool(std::string_view op, const Launch& l, const A& a, Pair dilation, const Meta& x,
                const Meta& y, F f) {
  if (x.numel() == 0) return;
  const bool last = !x.is_contiguous() || !y.is_contiguous();
  visit_any_floating(op, x.dtype, [&]<class T>() {
    if (!pool_fits_32(a, dilation, x.shape, y.shape))
      return f.template operator()<T, 1>(pool_window<int64_t>(a, dilation, x.shape, y.shape, last));
    const auto window = pool_window<int32_t>(a, dilation, x.shape, y.shape, last);
    if (window.channels % kPack<T> == 0 && pool_packs_aligned(l, kPack<T>))
      return f.template operator()<T, kPack<T>>(window);
    f.template operator()<T, 1>(window);
  });
}

}  // namespace reprise::cuda
