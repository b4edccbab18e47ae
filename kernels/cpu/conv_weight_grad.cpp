// The direct gradient of a convolution's weight. For each tap the gradient is a product of
// matrices, gy [out_channels, pixels] times the pixels, shifted by the tap, [pixels, in_channels].
// So the images are turned to channels-last with a border of zeros, gy is packed in panels of
// channels, both a few images at a time, and the shift is nothing but an offset. Tasks cut channels
// and taps, never pixels.

#include <algorithm>

#include "../../core/parallel.h"
#include "conv_paths.h"
#include "workspace.h"

namespace reprise::cpu {

namespace {

constexpr int64_t kLanesBytes = 64;  // channels of a pixel fill whole vectors of the widest set
constexpr int64_t kImageBytes = 256 << 10;  // of images and gradients turned at a time

template <class T>
struct WeightGrad {
  const ConvShape& s;
  int64_t taps, pixels, row, padded, pitch, at_once;
  int64_t *offset, *tap;
  T *images, *gys, *sums;  // sums: [taps, out_channels, pitch]

  WeightGrad(const ConvShape& shape, Workspace& space) : s(shape) {
    constexpr int64_t lanes = kLanesBytes / sizeof(T);
    taps = s.kernel_h * s.kernel_w;
    pixels = s.out_h() * s.out_w();
    row = s.width + 2 * s.pad_w;
    padded = (s.height + 2 * s.pad_h) * row;
    pitch = ceil_div(s.in_channels, lanes) * lanes;
    const int64_t bytes = (padded * pitch + pixels * s.out_channels) * int64_t{sizeof(T)};
    at_once = std::clamp<int64_t>(kImageBytes / bytes, 1, s.batch);
    offset = space.take<int64_t>(at_once * pixels);
    tap = space.take<int64_t>(taps);
    images = space.take<T>(at_once * padded * pitch + 2 * lanes);  // tiles load whole panels
    gys = space.take<T>(at_once * pixels * s.out_channels);
    sums = space.take<T>(taps * s.out_channels * pitch);
  }

  void fill_tables() const {
    int64_t* to = offset;
    for (int64_t n = 0; n < at_once; ++n) {
      for (int64_t i = 0; i < s.out_h(); ++i) {
        for (int64_t j = 0; j < s.out_w(); ++j) {
          *to++ = (n * padded + i * s.stride_h * row + j * s.stride_w) * pitch;
        }
      }
    }
    for (int64_t t = 0; t < taps; ++t) {
      tap[t] = (t / s.kernel_w * s.dilation_h * row + t % s.kernel_w * s.dilation_w) * pitch;
    }
  }

  void turn_image(const ConvKernels<T>& kernel, const T* x, T* to) const {
    const int64_t plane = s.height * s.width;
    T* inner = to + (s.pad_h * row + s.pad_w) * pitch;
    if (s.pad_w == 0) return kernel.pack(inner, pitch, x, plane, s.in_channels, plane);
    for (int64_t i = 0; i < s.height; ++i) {
      kernel.pack(inner + i * row * pitch, pitch, x + i * s.width, plane, s.in_channels, s.width);
    }
  }

  // Panel by panel, in each panel image after image: [pixels, rows of the panel].
  void pack_gy(const ConvKernels<T>& kernel, const T* gy, int64_t n, int64_t count,
               int64_t panels) const {
    for (int64_t p = 0; p < panels; ++p) {
      const int64_t begin = s.out_channels * p / panels,
                    rows = s.out_channels * (p + 1) / panels - begin;
      kernel.pack(gys + (begin * count + n * rows) * pixels, rows, gy + begin * pixels, pixels,
                  rows, pixels);
    }
  }

  void add_images(const ConvKernels<T>& kernel, const T* x, const T* gy, int64_t count,
                  bool first) const {
    const int64_t panels = ceil_div(s.out_channels, kernel.tile_rows), lanes = kernel.tile_columns;
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        turn_image(kernel, x + n * s.in_channels * s.height * s.width, images + n * padded * pitch);
        pack_gy(kernel, gy + n * s.out_channels * pixels, n, count, panels);
      }
    });
    const int64_t strips = ceil_div(s.in_channels, lanes);
    parallel_for(panels * strips * s.kernel_h, 1, [&](int64_t task_begin, int64_t task_end) {
      for (int64_t task = task_begin; task < task_end; ++task) {
        const int64_t p = task / s.kernel_h / strips, c = task / s.kernel_h % strips * lanes;
        const int64_t t = task % s.kernel_h * s.kernel_w;
        const int64_t begin = s.out_channels * p / panels, end = s.out_channels * (p + 1) / panels;
        kernel.weight_grad({.gy = gys + begin * count * pixels,
                            .rows = end - begin,
                            .x = images + c,
                            .offset = offset,
                            .depth = count * pixels,
                            .tap = tap + t,
                            .taps = s.kernel_w,
                            .columns = std::min(lanes, pitch - c),
                            .c = sums + (t * s.out_channels + begin) * pitch + c,
                            .c_row = pitch,
                            .c_tap = s.out_channels * pitch,
                            .accumulate = !first});
      }
    });
  }

  void store(const ConvKernels<T>& kernel, T* gw) const {
    const int64_t channels = s.in_channels;
    parallel_for(s.out_channels, std::max<int64_t>(1, 4096 / (taps * channels)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t o = begin; o < end; ++o) {
                     kernel.pack(gw + o * channels * taps, taps, sums + o * pitch,
                                 s.out_channels * pitch, taps, channels);
                   }
                 });
  }
};

}  // namespace

bool direct_grad_weight_serves(const ConvShape& s) {
  return s.groups == 1 && s.in_channels >= 8 && s.out_channels >= 4;
}

template <class T>
size_t direct_grad_weight_workspace(const ConvShape& s) {
  Workspace space(nullptr);
  WeightGrad<T>(s, space);
  return space.bytes();
}

template <class T>
void direct_grad_weight(const ConvShape& s, const T* x, const T* gy, T* gw, void* workspace,
                        Isa level) {
  const ConvKernels<T>& kernel = simd_kernels<T>(level);
  Workspace space(workspace);
  const WeightGrad<T> grad(s, space);
  grad.fill_tables();
  std::fill(grad.images, grad.gys, T(0));
  for (int64_t n = 0; n < s.batch; n += grad.at_once) {
    grad.add_images(kernel, x + n * s.in_channels * s.height * s.width,
                    gy + n * s.out_channels * grad.pixels, std::min(grad.at_once, s.batch - n),
                    n == 0);
  }
  grad.store(kernel, gw);
}

template size_t direct_grad_weight_workspace<float>(const ConvShape&);
template size_t direct_grad_weight_workspace<double>(const ConvShape&);
template void direct_grad_weight(const ConvShape&, const float*, const float*, float*, void*, Isa);
template void direct_grad_weight(const ConvShape&, const double*, const double*, double*, void*,
                                 Isa);

}  // namespace reprise::cpu
