// MaxPool2d and AvgPool2d, images in parallel. Averages over whole images are sums; other windows
// go to the row kernels of simd/pool.h where their rows fit the scratch, else to plain loops.

#include "../../core/ops/pool.h"

#include <limits>

#include "pool_window.h"
#include "simd/isa.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

template <class T>
struct Images {
  PoolWindow window;
  const T *x, *x_end;
  T* y;
  int64_t* index = nullptr;  // of max pooling

  int64_t x_size() const { return window.rows.in * window.columns.in; }
  int64_t y_size() const { return window.rows.out * window.columns.out; }
};

/// Whether the rows of the kernels (a padded one and three of results) fit the scratch of a thread,
/// and places in the image an int32.
template <class T>
bool fits_kernels(const PoolWindow& window) {
  const PoolAxis& across = window.columns;
  constexpr int64_t kMostLanes = 16;
  const int64_t results = (across.out + kMostLanes - 1) / kMostLanes * kMostLanes;
  const int64_t padded = results * across.stride + (across.kernel - 1) * across.dilation;
  const size_t bytes = static_cast<size_t>(padded + 3 * results) * sizeof(T);
  const int64_t places = window.rows.in * across.in;
  return bytes <= kThreadScratchBytes && places < std::numeric_limits<int32_t>::max();
}

template <class T>
const PoolKernels<T>& kernels() {
  return pick(isa(), sse2::pool_table, avx2::pool_table, avx512::pool_table);
}

template <class T>
bool try_max_kernel(const Images<T>& p, int64_t begin, int64_t end) {
  if (!fits_kernels<T>(p.window)) return false;
  kernels<T>().max(p.window, p.x + begin * p.x_size(), p.x_end, end - begin,
                   p.y + begin * p.y_size(), p.index + begin * p.y_size(), thread_scratch().data());
  return true;
}

template <class T>
void plain_max(const Images<T>& p, int64_t image) {
  const PoolAxis &down = p.window.rows, &across = p.window.columns;
  const T* x = p.x + image * p.x_size();
  each_window(p.window, [&](int64_t result, const PoolSpan& rows, const PoolSpan& columns) {
    T best = -std::numeric_limits<T>::infinity();
    int64_t index =
        std::min(rows.begin, down.in - 1) * across.in + std::min(columns.begin, across.in - 1);
    for (int64_t h = rows.begin; h < rows.end; h += down.dilation) {
      for (int64_t w = columns.begin; w < columns.end; w += across.dilation) {
        const T value = x[h * across.in + w];
        if (!(value > best || (value != value && best == best))) continue;
        best = value;
        index = h * across.in + w;
      }
    }
    p.y[image * p.y_size() + result] = best;
    p.index[image * p.y_size() + result] = index;
  });
}

template <class T>
bool try_global_average(const Images<T>& p, int64_t begin, int64_t end) {
  if (!is_global(p.window)) return false;
  const ReduceKernels<T>& kernel =
      pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
  const auto divisor = static_cast<double>(divisor_of(p.window, 0));
  for (int64_t i = begin; i < end; ++i) {
    p.y[i] = static_cast<T>(kernel.sum(p.x + i * p.x_size(), p.x_size(), 1) / divisor);
  }
  return true;
}

template <class T>
bool try_average_kernel(const Images<T>& p, int64_t begin, int64_t end) {
  if (!fits_kernels<T>(p.window)) return false;
  kernels<T>().average(p.window, p.x + begin * p.x_size(), p.x_end, end - begin,
                       p.y + begin * p.y_size(), thread_scratch().data());
  return true;
}

template <class T>
void plain_average(const Images<T>& p, int64_t image) {
  const T* x = p.x + image * p.x_size();
  each_window(p.window, [&](int64_t result, const PoolSpan& rows, const PoolSpan& columns) {
    double sum = 0;
    for (int64_t h = rows.begin; h < rows.end; ++h) {
      for (int64_t w = columns.begin; w < columns.end; ++w) {
        sum += static_cast<double>(x[h * p.window.columns.in + w]);
      }
    }
    const auto divisor = static_cast<double>(divisor_of(p.window, result));
    p.y[image * p.y_size() + result] = static_cast<T>(sum / divisor);
  });
}

template <class T>
Images<T> images_of(const Launch& l, const PoolWindow& window) {
  const T* x = l.in[0].as<T>();
  return {window, x, x + l.in[0].meta->numel(), l.out[0].as<T>()};
}

}  // namespace
}  // namespace cpu

void MaxPool2d::cpu(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  visit_floating(name, x.dtype, [&]<class T>() {
    auto images = cpu::images_of<T>(l, cpu::window_of(*this, x.shape, y.shape));
    images.index = l.out[1].as<int64_t>();
    cpu::parallel_for_images(x.shape, [&](int64_t begin, int64_t end) {
      if (cpu::try_max_kernel(images, begin, end)) return;
      for (int64_t i = begin; i < end; ++i) cpu::plain_max(images, i);
    });
  });
}

void AvgPool2d::cpu(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  visit_floating(name, x.dtype, [&]<class T>() {
    const auto images = cpu::images_of<T>(l, cpu::window_of(*this, x.shape, y.shape));
    cpu::parallel_for_images(x.shape, [&](int64_t begin, int64_t end) {
      if (cpu::try_global_average(images, begin, end)) return;
      if (cpu::try_average_kernel(images, begin, end)) return;
      for (int64_t i = begin; i < end; ++i) cpu::plain_average(images, i);
    });
  });
}

}  // namespace reprise
