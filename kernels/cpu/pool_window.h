#pragma once
// Windows of pooling as plain loops see them.

#include <algorithm>

#include "../../core/op.h"
#include "../../core/ops/pool.h"
#include "../../core/parallel.h"
#include "simd/pool.h"

namespace reprise::cpu {

inline PoolWindow window_of(const MaxPoolAttributes& a, const Shape& x, const Shape& y) {
  return {.rows = {x[2], y[2], a.kernel_size.h, a.stride.h, a.padding.h, a.dilation.h},
          .columns = {x[3], y[3], a.kernel_size.w, a.stride.w, a.padding.w, a.dilation.w},
          .count_padding = true,
          .divisor = 0};
}

inline PoolWindow window_of(const AvgPoolAttributes& a, const Shape& x, const Shape& y) {
  return {.rows = {x[2], y[2], a.kernel_size.h, a.stride.h, a.padding.h, 1},
          .columns = {x[3], y[3], a.kernel_size.w, a.stride.w, a.padding.w, 1},
          .count_padding = a.count_include_pad,
          .divisor = a.divisor_override};
}

/// Whether the only window is the image itself.
inline bool is_global(const PoolWindow& window) {
  const auto whole = [](const PoolAxis& axis) {
    return axis.out == 1 && axis.padding == 0 && axis.kernel == axis.in;
  };
  return whole(window.rows) && whole(window.columns);
}

/// The places in the image that a window covers: begin, begin + dilation, ... below end.
struct PoolSpan {
  int64_t begin, end;

  PoolSpan(const PoolAxis& axis, int64_t out) : begin(out * axis.stride - axis.padding) {
    end = std::min(begin + (axis.kernel - 1) * axis.dilation + 1, axis.in);
    if (begin < 0) begin += (axis.dilation - 1 - begin) / axis.dilation * axis.dilation;
  }
};

/// Calls f(result, rows, columns) for all windows of an image in row-major order.
template <class F>
void each_window(const PoolWindow& window, F f) {
  for (int64_t i = 0; i < window.rows.out; ++i) {
    const PoolSpan rows(window.rows, i);
    for (int64_t j = 0; j < window.columns.out; ++j) {
      f(i * window.columns.out + j, rows, PoolSpan(window.columns, j));
    }
  }
}

/// What the sum over a window of an average is divided by.
inline int64_t divisor_of(const PoolWindow& window, int64_t result) {
  if (window.divisor != 0) return window.divisor;
  const auto size = [&](const PoolAxis& axis, int64_t out) {
    const PoolSpan span(axis, out);
    if (!window.count_padding) return span.end - span.begin;
    const int64_t begin = out * axis.stride - axis.padding;
    return std::min(begin + axis.kernel, axis.in + axis.padding) - begin;
  };
  const int64_t columns = window.columns.out;
  return size(window.rows, result / columns) * size(window.columns, result % columns);
}

/// Calls f(begin, end) for ranges of the images of `shape` [N, C, H, W], at the same time.
template <class F>
void parallel_for_images(const Shape& shape, F f) {
  constexpr int64_t kTaskSize = 1 << 14;  // elements worth a task
  const int64_t size = std::max<int64_t>(shape[2] * shape[3], 1);
  parallel_for(shape[0] * shape[1], kTaskSize / size, f);
}

}  // namespace reprise::cpu
