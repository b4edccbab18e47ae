#pragma once
// What pooling compiled for each instruction set offers to ../pool.cpp.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

/// A window sliding over an image: sizes in elements, `columns` across and `rows` down.
struct PoolAxis {
  int64_t in, out;  // sizes of the image and of the result
  int64_t kernel, stride, padding, dilation;
};
struct PoolWindow {
  PoolAxis rows, columns;
  bool count_padding;  // average: a window counts the padding that it covers
  int64_t divisor;     // average: divides by this unless 0
};

template <class T>
struct PoolKernels {
  /// Pools `images` dense images, one behind another; x ends at x_end. `scratch` holds
  /// pool_scratch<T> bytes. An index is a row times the width of the image plus a column.
  void (*max)(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
              int64_t* index, void* scratch);
  void (*average)(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
                  void* scratch);
};

struct PoolTable : PoolKernels<float>, PoolKernels<double> {};

namespace sse2 {
extern const PoolTable pool_table;
}
namespace avx2 {
extern const PoolTable pool_table;
}
namespace avx512 {
extern const PoolTable pool_table;
}

}  // namespace reprise::cpu
