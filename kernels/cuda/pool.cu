// MaxPool2d, also with places in bytes, and AvgPool2d: a thread for each result, in the order of
// memory, or for averages of large windows of planes a warp. Elements of a window are taken row by
// row, as on the CPU.

#include "../../core/ops/fused_pool.h"
#include "acc.cuh"
#include "pool_window.cuh"
#include "warp.cuh"

namespace reprise {
namespace cuda {
namespace {

/// A Place of 8 bytes is one in the image, one of a byte is one in the window.
template <class T, class I, class Place>
__global__ void max_pool(PoolWindow<I> window, const T* x, T* y, Place* places) {
  using A = Acc<T>;
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  for (I i = first_index(); i < results; i += index_step()) {
    const PoolPlace<I> at(i, rows.out, columns.out, window.channels);
    const T* const image = x + at.first(window.pixels());
    const I top = rows.begin(at.row), bottom = rows.end(at.row);
    const I left = columns.begin(at.column), right = columns.end(at.column);
    A best = -std::numeric_limits<A>::infinity();
    I best_h = std::min(top, rows.in - 1), best_w = std::min(left, columns.in - 1);
    for (I h = top; h < bottom; h += rows.dilation) {
      for (I w = left; w < right; w += columns.dilation) {
        const auto v = static_cast<A>(image[(h * columns.in + w) * window.channels]);
        if (!(v > best || (v != v && best == best))) continue;
        best = v;
        best_h = h;
        best_w = w;
      }
    }
    y[i] = static_cast<T>(best);
    if constexpr (sizeof(Place) == 1) {
      best_h -= rows.start(at.row);
      best_w -= columns.start(at.column);
    }
    places[i] =
        static_cast<Place>(best_h * (sizeof(Place) == 1 ? columns.kernel : columns.in) + best_w);
  }
}

template <class T, class I>
__global__ void average_pool(PoolWindow<I> window, PoolDivisor divisor, const T* x, T* y) {
  using A = Acc<T>;
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  for (I i = first_index(); i < results; i += index_step()) {
    const PoolPlace<I> at(i, rows.out, columns.out, window.channels);
    const T* const image = x + at.first(window.pixels());
    A total = 0;
    for (I h = rows.begin(at.row); h < rows.end(at.row); ++h) {
      A sum = 0;
      for (I w = columns.begin(at.column); w < columns.end(at.column); ++w) {
        sum += static_cast<A>(image[(h * columns.in + w) * window.channels]);
      }
      total += sum;
    }
    y[i] = static_cast<T>(total / divisor.of<A>(window, at.row, at.column));
  }
}

/// Lanes take every 32nd element of a window, in row-major order only.
template <class T, class I>
__global__ void average_pool_by_warps(PoolWindow<I> window, PoolDivisor divisor, const T* x, T* y) {
  using A = Acc<T>;
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  const I lane = static_cast<I>(threadIdx.x % kWarp);
  for (I i = first_index() / kWarp; i < results; i += index_step() / kWarp) {
    const PoolPlace<I> at(i, rows.out, columns.out, window.channels);
    const I top = rows.begin(at.row), left = columns.begin(at.column);
    const I width = columns.end(at.column) - left, count = (rows.end(at.row) - top) * width;
    const T* const from = x + at.at(window.pixels(), top * columns.in + left);
    A sum = 0;
    for (I k = lane; k < count; k += kWarp) {
      sum += static_cast<A>(from[k / width * columns.in + k % width]);
    }
    for (int by = kWarp / 2; by > 0; by /= 2) sum += __shfl_xor_sync(~0U, sum, by);
    if (lane == 0) y[i] = static_cast<T>(sum / divisor.of<A>(window, at.row, at.column));
  }
}

template <class Place>
void run_max_pool(std::string_view op, const MaxPoolAttributes& a, const Launch& l) {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  visit_pool(op, a, a.dilation, x, y, [&]<class T, class I>(const PoolWindow<I>& window) {
    launch(l.stream, blocks_for(y.numel()), kThreads, max_pool<T, I, Place>, window,
           l.in[0].as<T>(), l.out[0].as<T>(), l.out[1].as<Place>());
  });
}

}  // namespace
}  // namespace cuda

void MaxPool2d::cuda(const Launch& l) const { cuda::run_max_pool<int64_t>(name, *this, l); }
void FusedMaxPool2d::cuda(const Launch& l) const { cuda::run_max_pool<uint8_t>(name, *this, l); }

void AvgPool2d::cuda(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  const bool planes = x.is_contiguous() && y.is_contiguous();
  const bool large = planes && kernel_size.h * kernel_size.w >= 2 * cuda::kWarp;
  cuda::visit_pool(name, *this, 1, x, y, [&]<class T, class I>(const cuda::PoolWindow<I>& window) {
    cuda::launch(l.stream, cuda::blocks_for(y.numel() * (large ? cuda::kWarp : 1)), cuda::kThreads,
                 large ? cuda::average_pool_by_warps<T, I> : cuda::average_pool<T, I>, window,
                 cuda::divisor_of(*this), l.in[0].as<T>(), l.out[0].as<T>());
  });
}

}  // namespace reprise
