#pragma once
// What pooling compiled for each instruction set offers to ../pool.cpp.

#include <cstddef>
#include <cstdint>

namespace reprise::cpu {

/// A window sliding along one axis of an image.
struct PoolAxis {
  int64_t in, out;  // sizes of the image and of the result
  int64_t kernel, stride, padding, dilation;
};
struct PoolWindow {
  PoolAxis rows, columns;
  bool count_padding;  // average: a window counts the padding that it covers
  int64_t divisor;     // average: divides by this unless 0
};

/// Dense images, one behind another, and what they are pooled to.
template <class T>
struct PoolImages {
  PoolWindow window;
  const T* x;
  int64_t count;  // of images
  T* y;
  int64_t* index;  // of max pooling: a row times the width of the image plus a column
  uint8_t* place;  // or, when index is null, the same in the window, which has no dilation
};

/// Pools the images [begin, end). An image of max pooling has fewer than 2^31 elements.
template <class T>
struct PoolKernels {
  void (*max)(const PoolImages<T>& images, int64_t begin, int64_t end);
  void (*average)(const PoolImages<T>& images, int64_t begin, int64_t end);
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
