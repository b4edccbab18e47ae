// MaxPool2d, also with places in bytes, and AvgPool2d, images in parallel. Windows as large as the
// image are reductions; all others go to the kernels of simd/pool.h.

#include "../../core/ops/fused_pool.h"
#include "pool_window.h"
#include "simd/isa.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

template <class T>
const PoolKernels<T>& kernels() {
  return pick(isa(), sse2::pool_table, avx2::pool_table, avx512::pool_table);
}

template <class T>
const ReduceKernels<T>& reduce_kernels() {
  return pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
}

template <class T>
bool try_global_max(const PoolImages<T>& p, int64_t begin, int64_t end) {
  if (!is_global(p.window)) return false;
  const int64_t size = p.window.rows.in * p.window.columns.in;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t at = reduce_kernels<T>().argmax(p.x + i * size, size, 1);
    p.y[i] = p.x[i * size + at];
    if (p.index) {
      p.index[i] = at;
    } else {
      p.place[i] = static_cast<uint8_t>(at);
    }
  }
  return true;
}

template <class T>
bool try_global_average(const PoolImages<T>& p, int64_t begin, int64_t end) {
  if (!is_global(p.window)) return false;
  const int64_t size = p.window.rows.in * p.window.columns.in;
  const auto divisor = static_cast<double>(divisor_of(p.window, 0));
  for (int64_t i = begin; i < end; ++i) {
    p.y[i] = static_cast<T>(reduce_kernels<T>().sum(p.x + i * size, size, 1) / divisor);
  }
  return true;
}

template <class T>
PoolImages<T> images_of(const Launch& l, const PoolWindow& window) {
  const Shape& x = l.in[0].meta->shape;
  return {window, l.in[0].as<T>(), x[0] * x[1], l.out[0].as<T>(), nullptr, nullptr};
}

/// The first result of `l` gets the maxima, the second their places: int64 or bytes.
void max_pool(const MaxPoolAttributes& a, const Launch& l) {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  visit_floating("max_pool2d", x.dtype, [&]<class T>() {
    auto images = images_of<T>(l, window_of(a, x.shape, y.shape));
    if (l.out[1].meta->dtype == uint8) {
      images.place = l.out[1].as<uint8_t>();
    } else {
      images.index = l.out[1].as<int64_t>();
    }
    parallel_for_images(x.shape, [&](int64_t begin, int64_t end) {
      if (try_global_max(images, begin, end)) return;
      kernels<T>().max(images, begin, end);
    });
  });
}

}  // namespace
}  // namespace cpu

void MaxPool2d::cpu(const Launch& l) const { cpu::max_pool(*this, l); }
void FusedMaxPool2d::cpu(const Launch& l) const { cpu::max_pool(*this, l); }

void AvgPool2d::cpu(const Launch& l) const {
  const Meta &x = *l.in[0].meta, &y = *l.out[0].meta;
  visit_floating(name, x.dtype, [&]<class T>() {
    const auto images = cpu::images_of<T>(l, cpu::window_of(*this, x.shape, y.shape));
    cpu::parallel_for_images(x.shape, [&](int64_t begin, int64_t end) {
      if (cpu::try_global_average(images, begin, end)) return;
      cpu::kernels<T>().average(images, begin, end);
    });
  });
}

}  // namespace reprise
