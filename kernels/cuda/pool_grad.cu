// Gradients of pooling. A pixel gathers from the windows that cover it, in their order. Indices
// alone do not tell the windows: there a warp walks each image and adds in the order of the
// results. An index outside of the image, which only a damaged graph has, is reported and moves
// nothing; a place outside of its window moves nothing.

#include "../../core/ops/fused_pool.h"
#include "acc.cuh"
#include "index_check.cuh"
#include "pool_window.cuh"
#include "warp.cuh"

namespace reprise {
namespace cuda {
namespace {

/// The sum of f(row, column) over the windows that cover each pixel, in row-major order.
template <class T, class I, class F>
__device__ void gather_windows(const PoolWindow<I>& window, T* gx, F f) {
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I pixels = static_cast<I>(window.images) * window.pixels() * window.channels;
  for (I i = first_index(); i < pixels; i += index_step()) {
    const PoolPlace<I> at(i, rows.in, columns.in, window.channels);
    const I first = columns.first_window(at.column), end = columns.end_window(at.column);
    Acc<T> sum = 0;
    for (I row = rows.first_window(at.row); row < rows.end_window(at.row); ++row) {
      for (I column = first; column < end; ++column) sum += f(at, row, column);
    }
    gx[i] = static_cast<T>(sum);
  }
}

template <class T, class I>
__global__ void average_pool_grad(PoolWindow<I> window, PoolDivisor divisor, const T* gy, T* gx) {
  gather_windows(window, gx, [&](const PoolPlace<I>& at, I row, I column) {
    const I result = at.at(window.results(), row * window.columns.out + column);
    return static_cast<Acc<T>>(gy[result]) / divisor.of<Acc<T>>(window, row, column);
  });
}

template <class T, class I>
__global__ void max_pool_grad(PoolWindow<I> window, const T* gy, const uint8_t* places, T* gx) {
  gather_windows(window, gx, [&](const PoolPlace<I>& at, I row, I column) {
    const I result = at.at(window.results(), row * window.columns.out + column);
    const I mine = (at.row - window.rows.start(row)) * window.columns.kernel + at.column -
                   window.columns.start(column);
    return places[result] == mine ? static_cast<Acc<T>>(gy[result]) : Acc<T>(0);
  });
}

/// Pixels of results and of images, and the channels that lie side by side in each.
struct Images {
  Images(const Meta& y, const Meta& x)
      : results(y.shape[2] * y.shape[3]), pixels(x.shape[2] * x.shape[3]) {
    const bool last = !x.is_contiguous() || !y.is_contiguous();
    channels = last ? x.shape[1] : 1;
    planes = x.shape[0] * x.shape[1];
  }
  /// Pixel 0 of a plane of `size` pixels.
  __device__ int64_t first(int64_t plane, int64_t size) const {
    const int64_t image = channels == 1 ? plane : plane / channels;
    return image * size * channels + (plane - image * channels);
  }

  int64_t results, pixels, channels, planes;
};

/// gx is zero at first. Lanes that have the same index leave the adding to the first of them.
template <class T>
__global__ void scatter_images(const T* gy, const int64_t* index, T* gx, Images of,
                               IndexCheck check) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t i = first_index() / kWarp; i < of.planes; i += index_step() / kWarp) {
    T* const image = gx + of.first(i, of.pixels);
    const int64_t from = of.first(i, of.results);
    for (int64_t first = 0; first < of.results; first += kWarp) {
      const auto place = [&](int at) { return from + (first + at) * of.channels; };
      const bool mine = first + lane < of.results;
      const int64_t to = mine ? index[place(lane)] : -1;
      if (mine && (to < 0 || to >= of.pixels)) check.report(to, i * of.results + first + lane);
      unsigned same = __match_any_sync(~0U, static_cast<unsigned long long>(to));
      if (to >= 0 && to < of.pixels && __ffs(static_cast<int>(same)) - 1 == lane) {
        T sum = image[to * of.channels];
        for (; same != 0; same &= same - 1) sum += gy[place(__ffs(static_cast<int>(same)) - 1)];
        image[to * of.channels] = sum;
      }
      __syncwarp();
    }
  }
}

template <class T>
__global__ void gather_images(const T* x, const int64_t* index, T* y, Images of, IndexCheck check) {
  const int64_t count = of.planes * of.results;
  for (int64_t i = first_index(); i < count; i += index_step()) {
    const int64_t from = index[i];
    const bool there = from >= 0 && from < of.pixels;
    const int64_t channel = i % of.channels, pixel = i / of.channels;
    const int64_t image = pixel / of.results;
    const int64_t first = image * of.pixels * of.channels + channel;
    y[i] = there ? x[first + from * of.channels]
                 : static_cast<T>(std::numeric_limits<Acc<T>>::quiet_NaN());
    if (!there) {
      const int64_t plane = image * of.channels + channel;
      check.report(from, plane * of.results + pixel % of.results);
    }
  }
}

}  // namespace
}  // namespace cuda

void AvgPool2dGrad::cuda(const Launch& l) const {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  cuda::visit_pool(name, *this, 1, gx, gy, [&]<class T, class I>(const cuda::PoolWindow<I>& w) {
    cuda::launch(l.stream, cuda::blocks_for(gx.numel()), cuda::kThreads,
                 cuda::average_pool_grad<T, I>, w, cuda::divisor_of(*this), l.in[0].as<T>(),
                 l.out[0].as<T>());
  });
}

void FusedMaxPool2dGrad::cuda(const Launch& l) const {
  const Meta &gy = *l.in[0].meta, &gx = *l.out[0].meta;
  cuda::visit_pool(name, *this, 1, gx, gy, [&]<class T, class I>(const cuda::PoolWindow<I>& w) {
    cuda::launch(l.stream, cuda::blocks_for(gx.numel()), cuda::kThreads, cuda::max_pool_grad<T, I>,
                 w, l.in[0].as<T>(), l.in[1].as<uint8_t>(), l.out[0].as<T>());
  });
}

void MaxPool2dGrad::cuda(const Launch& l) const {
  const cuda::Images images(*l.in[0].meta, *l.out[0].meta);
  if (l.out[0].meta->numel() == 0) return;
  REPRISE_CUDA_CHECK(cudaMemsetAsync(l.out[0].data, 0, l.out[0].meta->nbytes(),
                                     static_cast<cudaStream_t>(l.stream.handle)));
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() {
    cuda::launch(l.stream, cuda::blocks_for(images.planes * cuda::kWarp), cuda::kThreads,
                 cuda::scatter_images<T>, l.in[0].as<T>(), l.in[1].as<int64_t>(), l.out[0].as<T>(),
                 images, cuda::IndexCheck(name, l.in[1].meta->shape, -1, images.pixels));
  });
}

void MaxPool2dGather::cuda(const Launch& l) const {
  const cuda::Images images(*l.out[0].meta, *l.in[0].meta);
  cuda::visit_any_floating(name, l.in[0].meta->dtype, [&]<class T>() {
    cuda::launch(l.stream, cuda::blocks_for(l.out[0].meta->numel()), cuda::kThreads,
                 cuda::gather_images<T>, l.in[0].as<T>(), l.in[1].as<int64_t>(), l.out[0].as<T>(),
                 images, cuda::IndexCheck(name, l.in[1].meta->shape, -1, images.pixels));
  });
}

}  // namespace reprise
