// MaxPool2d, also with places in bytes, and AvgPool2d: a thread for each result, or for W of
// neighbouring channels, in the order of memory; for averages of large windows of planes a warp.
// Elements of a window are taken row by row, as on the CPU.

#include "../../core/ops/fused_pool.h"
#include "acc.cuh"
#include "pool_window.cuh"
#include "warp.cuh"

namespace reprise {
namespace cuda {
namespace {

/// The largest value so far and where it stood; the first of equal ones, and NaN above all.
template <class A, class I>
struct Largest {
  A value = -std::numeric_limits<A>::infinity();
  I place;

  __device__ void take(A v, I at) {
    if (!(v > value || (v != v && value == value))) return;
    value = v;
    place = at;
  }
};

/// A Place of 8 bytes is one in the image, one of a byte is one in the window.
template <int W, class T, class I, class Place>
__global__ void max_pool(PoolWindow<I> window, const T* x, T* y, Place* places) {
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  for (I i = first_index() * W; i < results; i += index_step() * W) {
    const auto at = PoolPlace<I>::of_result(window, i);
    const T* const image = x + at.first(window.pixels());
    const I top = rows.begin(at.row), bottom = rows.end(at.row);
    const I left = columns.begin(at.column), right = columns.end(at.column);
    const auto place = [&](I h, I w) {
      if constexpr (sizeof(Place) > 1) return h * columns.in + w;
      return (h - rows.start(at.row)) * columns.kernel + w - columns.start(at.column);
    };
    Largest<Acc<T>, I> best[W];
    for (auto& b : best)
      b.place = place(std::min(top, rows.in - 1), std::min(left, columns.in - 1));
    for (I h = top; h < bottom; h += rows.dilation) {
      for (I w = left; w < right; w += columns.dilation) {
        T v[W];
        load_pack(v, image + (h * columns.in + w) * window.channels);
        unrolled<W>([&](int e) { best[e].take(static_cast<Acc<T>>(v[e]), place(h, w)); });
      }
    }
    T values[W];
    Place where[W];
    unrolled<W>([&](int e) {
      values[e] = static_cast<T>(best[e].value);
      where[e] = static_cast<Place>(best[e].place);
    });
    store_pack(y + i, values);
    store_pack(places + i, where);
  }
}

template <int W, class T, class I>
__global__ void average_pool(PoolWindow<I> window, AverageDivisor divisor, const T* x, T* y) {
  using A = Acc<T>;
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  for (I i = first_index() * W; i < results; i += index_step() * W) {
    const auto at = PoolPlace<I>::of_result(window, i);
    const T* const image = x + at.first(window.pixels());
    A total[W] = {};
    for (I h = rows.begin(at.row); h < rows.end(at.row); ++h) {
      A sum[W] = {};
      for (I w = columns.begin(at.column); w < columns.end(at.column); ++w) {
        T v[W];
        load_pack(v, image + (h * columns.in + w) * window.channels);
        unrolled<W>([&](int e) { sum[e] += static_cast<A>(v[e]); });
      }
      unrolled<W>([&](int e) { total[e] += sum[e]; });
    }
    const A by = divisor.of<A>(window, at.row, at.column);
    T mean[W];
    unrolled<W>([&](int e) { mean[e] = static_cast<T>(total[e] / by); });
    store_pack(y + i, mean);
  }
}

/// Lanes take every 32nd element of a window, in row-major order only.
template <class T, class I>
__global__ void average_pool_by_warps(PoolWindow<I> window, AverageDivisor divisor, const T* x,
                                      T* y) {
  using A = Acc<T>;
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I results = static_cast<I>(window.images) * window.results();
  const I lane = static_cast<I>(threadIdx.x % kWarp);
  for (I i = first_index() / kWarp; i < results; i += index_step() / kWarp) {
    const auto at = PoolPlace<I>::of_result(window, i);
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
  visit_pool(op, l, a, a.dilation, x, y, [&]<class T, int W, class I>(const PoolWindow<I>& window) {
    launch(l.stream, blocks_for(y.numel(), W), kThreads, max_pool<W, T, I, Place>, window,
           l.in[0].as<T>(), l.out[0].as<T>(), l.out[1].as<Place>());
  });
}

}  // namespace
}  // namespace cuda

void MaxPool2d::cuda(const Launch& l) const { cuda::run_max_pool<int64_t>(name, *this, l); }
void FusedMaxPool2d::cuda(const Launch& l) const { cuda::run_max_pool<uint8_t>(name, *this, l); }

void AvgPool2d::cuda(const Launch& l) const {
  using namespace cuda;
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  const bool planes = x.is_contiguous() && y.is_contiguous();
  const bool large = planes && kernel_size.h * kernel_size.w >= 2 * kWarp;
  visit_pool(name, l, *this, 1, x, y, [&]<class T, int W, class I>(const PoolWindow<I>& window) {
    const T* from = l.in[0].as<T>();
    T* to = l.out[0].as<T>();
    if (large) {
      launch(l.stream, blocks_for(y.numel() * kWarp), kThreads, average_pool_by_warps<T, I>, window,
             divisor_of(*this), from, to);
    } else {
      launch(l.stream, blocks_for(y.numel(), W), kThreads, average_pool<W, T, I>, window,
             divisor_of(*this), from, to);
    }
  });
}

}  // namespace reprise
