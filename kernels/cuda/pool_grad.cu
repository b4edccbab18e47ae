// Gradients of pooling. A pixel gathers from the windows that cover it, in their order. Indices
// alone do not tell the windows: there a warp walks each image and adds in the order of the
// results. An index outside of the image, which only a damaged graph has, is reported and moves
// nothing; a place outside of its window moves nothing.

#include "../../core/ops/fused_pool.h"
#include "index_check.cuh"
#include "pack.cuh"
#include "pool_window.cuh"
#include "warp.cuh"

namespace reprise {
namespace cuda {
namespace {

/// The sum of f(row, column) over the windows that cover each pixel, in row-major order.
template <class T, class I, class F>
__device__ void gather_windows(const PoolWindow<I>& window, T* gx, F f) {
  const PoolAxis<I>&rows = window.rows, &columns = window.columns;
  const I pixels = static_cast<I>(window.images) * window.pixels();
  for (I i = first_index(); i < pixels; i += index_step()) {
    const PoolPlace<I> at(i, rows.in, columns.in);
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
    const I result = at.image * window.results() + row * window.columns.out + column;
    return static_cast<Acc<T>>(gy[result]) / divisor.of<Acc<T>>(window, row, column);
  });
}

template <class T, class I>
__global__ void max_pool_grad(PoolWindow<I> window, const T* gy, const uint8_t* places, T* gx) {
  gather_windows(window, gx, [&](const PoolPlace<I>& at, I row, I column) {
    const I result = at.image * window.results() + row * window.columns.out + column;
    const I mine = (at.row - window.rows.start(row)) * window.columns.kernel + at.column -
                   window.columns.start(column);
    return places[result] == mine ? static_cast<Acc<T>>(gy[result]) : Acc<T>(0);
  });
}

/// gx is zero at first. Lanes that have the same index leave the adding to the first of them.
template <class T>
__global__ void scatter_images(const T* gy, const int64_t* index, T* gx, int64_t images,
                               int64_t results, int64_t pixels, IndexCheck check) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int64_t i = first_index() / kWarp; i < images; i += index_step() / kWarp) {
    T* const image = gx + i * pixels;
    for (int64_t first = i * results; first < (i + 1) * results; first += kWarp) {
      const bool mine = first + lane < (i + 1) * results;
      const int64_t to = mine ? index[first + lane] : -1;
      if (mine && (to < 0 || to >= pixels)) check.report(to, first + lane);
      unsigned same = __match_any_sync(~0U, static_cast<unsigned long long>(to));
      if (to >= 0 && to < pixels && __ffs(static_cast<int>(same)) - 1 == lane) {
        T sum = image[to];
        for (; same != 0; same &= same - 1) sum += gy[first + __ffs(static_cast<int>(same)) - 1];
        image[to] = sum;
      }
      __syncwarp();
    }
  }
}

template <class T>
__global__ void gather_images(const T* x, const int64_t* index, T* y, int64_t count,
                              int64_t results, int64_t pixels, IndexCheck check) {
  for (int64_t i = first_index(); i < count; i += index_step()) {
    const int64_t from = index[i];
    const bool there = from >= 0 && from < pixels;
    y[i] = there ? x[i / results * pixels + from]
                 : static_cast<T>(std::numeric_limits<Acc<T>>::quiet_NaN());
    if (!there) check.report(from, i);
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
  const Shape& gy = l.in[0].meta->shape;
  const int64_t images = gy[0] * gy[1];
  if (l.out[0].meta->numel() == 0) return;
  REPRISE_CUDA_CHECK(cudaMemsetAsync(l.out[0].data, 0, l.out[0].meta->nbytes(),
                                     static_cast<cudaStream_t>(l.stream.handle)));
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() {
    cuda::launch(l.stream, cuda::blocks_for(images * cuda::kWarp), cuda::kThreads,
                 cuda::scatter_images<T>, l.in[0].as<T>(), l.in[1].as<int64_t>(), l.out[0].as<T>(),
                 images, gy[2] * gy[3], size.h * size.w,
                 cuda::IndexCheck(name, gy, -1, size.h * size.w));
  });
}

void MaxPool2dGather::cuda(const Launch& l) const {
  const Shape &x = l.in[0].meta->shape, &y = l.out[0].meta->shape;
  cuda::visit_any_floating(name, l.in[0].meta->dtype, [&]<class T>() {
    cuda::launch(l.stream, cuda::blocks_for(y.numel()), cuda::kThreads, cuda::gather_images<T>,
                 l.in[0].as<T>(), l.in[1].as<int64_t>(), l.out[0].as<T>(), y.numel(), y[2] * y[3],
                 x[2] * x[3], cuda::IndexCheck(name, y, -1, x[2] * x[3]));
  });
}

}  // namespace reprise
