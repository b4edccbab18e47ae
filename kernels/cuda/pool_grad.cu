// Gradients of pooling: a pixel, or W neighbouring channels of it, gathers from the windows that
// cover it, in their order, which is that in which the CPU scatters. An index outside of the image,
// which only a damaged graph has, is reported and moves nothing; a place outside of its window
// moves nothing.

#include "../../core/ops/fused_pool.h"
#include "acc.cuh"
#include "index_check.cuh"
#include "pool_window.cuh"

namespace reprise {
namespace cuda {
namespace {

/// add(sums, at, row, column) over the windows that cover each pixel, in row-major order.
template <int W, class T, class I, class F>
__device__ void gather_windows(const PoolWindow<I>& window, T* gx, F add) {
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I pixels = static_cast<I>(window.images) * window.pixels() * window.channels;
  for (I i = first_index() * W; i < pixels; i += index_step() * W) {
    const auto at = PoolPlace<I>::of_pixel(window, i);
    const I first = columns.first_window(at.column), end = columns.end_window(at.column);
    const I bottom = rows.end_window(at.row);
    Acc<T> sums[W] = {};
    for (I row = rows.first_window(at.row); row < bottom; ++row) {
      for (I column = first; column < end; ++column) add(sums, at, row, column);
    }
    T pack[W];
    unrolled<W>([&](int e) { pack[e] = static_cast<T>(sums[e]); });
    store_pack(gx + i, pack);
  }
}

template <int W, class T, class I>
__global__ void average_pool_grad(PoolWindow<I> window, AverageDivisor divisor, const T* gy,
                                  T* gx) {
  using A = Acc<T>;
  const auto add = [&](A(&sums)[W], const PoolPlace<I>& at, I row, I column) {
    const A by = divisor.of<A>(window, row, column);
    T g[W];
    load_pack(g, gy + at.at(window.results(), row * window.columns.out + column));
    unrolled<W>([&](int e) { sums[e] += static_cast<A>(g[e]) / by; });
  };
  gather_windows<W>(window, gx, add);
}

/// The place of a result in row-major order, whatever the memory format.
template <class I>
__device__ int64_t row_major(const PoolWindow<I>& window, const PoolPlace<I>& at, I row, I column) {
  const int64_t plane = int64_t{at.image} * at.channels + at.channel;
  return plane * window.results() + row * window.columns.out + column;
}

/// Where the values of windows stood in the image.
struct ImageIndices {
  const int64_t* places;
  IndexCheck check;

  template <class I>
  __device__ int64_t of(const PoolWindow<I>& w, const PoolPlace<I>& at, I, I) const {
    return int64_t{at.row} * w.columns.in + at.column;
  }
  template <int W, class I>
  __device__ void check_all(const int64_t (&index)[W], const PoolWindow<I>& w,
                            const PoolPlace<I>& at, I row, I column) const {
    int outside = -1;
    int64_t value = 0;
    unrolled<W>([&](int e) {
      if (static_cast<uint64_t>(index[e]) < static_cast<uint64_t>(w.pixels())) return;
      outside = e;
      value = index[e];
    });
    if (outside < 0) return;
    check.report(value, row_major(w, at, row, column) + int64_t{outside} * w.results());
  }
};

/// Where they stood in the windows themselves.
struct WindowPlaces {
  const uint8_t* places;

  template <class I>
  __device__ I of(const PoolWindow<I>& w, const PoolPlace<I>& at, I row, I column) const {
    return (at.row - w.rows.start(row)) * w.columns.kernel + at.column - w.columns.start(column);
  }
  __device__ void check_all(const auto&...) const {}
};

template <int W, class T, class I, class Places>
__global__ void max_pool_grad(PoolWindow<I> window, const T* gy, Places from, T* gx) {
  using A = Acc<T>;
  const auto add = [&](A(&sums)[W], const PoolPlace<I>& at, I row, I column) {
    const I result = at.at(window.results(), row * window.columns.out + column);
    const auto mine = from.of(window, at, row, column);
    std::remove_const_t<std::remove_pointer_t<decltype(from.places)>> place[W];
    T g[W];
    load_pack(place, from.places + result);
    load_pack(g, gy + result);
    from.check_all(place, window, at, row, column);
    unrolled<W>([&](int e) { sums[e] += place[e] == mine ? static_cast<A>(g[e]) : A(0); });
  };
  gather_windows<W>(window, gx, add);
}

template <class T, class I>
__global__ void gather_maxima(PoolWindow<I> window, const T* x, ImageIndices from, T* y) {
  const I results = static_cast<I>(window.images) * window.results() * window.channels;
  for (I i = first_index(); i < results; i += index_step()) {
    const auto at = PoolPlace<I>::of_result(window, i);
    const int64_t index[] = {from.places[i]};
    const bool there = static_cast<uint64_t>(index[0]) < static_cast<uint64_t>(window.pixels());
    y[i] = there ? x[at.at(window.pixels(), static_cast<I>(index[0]))]
                 : static_cast<T>(std::numeric_limits<Acc<T>>::quiet_NaN());
    from.check_all(index, window, at, at.row, at.column);
  }
}

ImageIndices image_indices(std::string_view op, const View& index, const Meta& x) {
  return {index.as<int64_t>(), IndexCheck(op, index.meta->shape, -1, x.shape[2] * x.shape[3])};
}

template <class Places>
void run_max_pool_grad(std::string_view op, const Launch& l, const MaxPoolAttributes& a,
                       const Places& places) {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  visit_pool(op, l, a, a.dilation, gx, gy, [&]<class T, int W, class I>(const PoolWindow<I>& w) {
    launch(l.stream, blocks_for(gx.numel(), W), kThreads, max_pool_grad<W, T, I, Places>, w,
           l.in[0].as<T>(), places, l.out[0].as<T>());
  });
}

}  // namespace
}  // namespace cuda

void AvgPool2dGrad::cuda(const Launch& l) const {
  using namespace cuda;
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  visit_pool(name, l, *this, 1, gx, gy, [&]<class T, int W, class I>(const PoolWindow<I>& w) {
    launch(l.stream, blocks_for(gx.numel(), W), kThreads, average_pool_grad<W, T, I>, w,
           divisor_of(*this), l.in[0].as<T>(), l.out[0].as<T>());
  });
}

void FusedMaxPool2dGrad::cuda(const Launch& l) const {
  cuda::run_max_pool_grad(name, l, *this, cuda::WindowPlaces{l.in[1].as<uint8_t>()});
}

void MaxPool2dGrad::cuda(const Launch& l) const {
  cuda::run_max_pool_grad(name, l, *this, cuda::image_indices(name, l.in[1], *l.out[0].meta));
}

void MaxPool2dGather::cuda(const Launch& l) const {
  using namespace cuda;
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  const ImageIndices from = image_indices(name, l.in[1], x);
  visit_pool(name, l, *this, dilation, x, y, [&]<class T, int W, class I>(const PoolWindow<I>& w) {
    launch(l.stream, blocks_for(y.numel()), kThreads, gather_maxima<T, I>, w, l.in[0].as<T>(), from,
           l.out[0].as<T>());
  });
}

}  // namespace reprise
