// Direct convolution. The rows of the images get zeros at both ends by copying (or are used as they
// lie when they need none), a table says how far each tap (kernel row, channel, kernel column) lies
// from the pixel, and the weights are packed in that order with output channels side by side; the
// rest is simd/conv.h. The gradient of the input of a convolution with stride 1 is the same walk
// over gy with mirrored taps.

#include <algorithm>

#include "../../core/parallel.h"
#include "conv_paths.h"
#include "workspace.h"

namespace reprise::cpu {

namespace {

constexpr int64_t kPanelBytes = 128;        // of one tap of one panel of weights, at most
constexpr int64_t kImageBytes = 512 << 10;  // of padded images made at a time
constexpr int64_t kWorkPerTask = 1 << 20;   // multiply-adds
constexpr int64_t kMostTaps = 4096;         // so must a turned panel of kernels
constexpr int64_t kTurnedTaps = 64;         // turned at once stay in the first-level cache
constexpr int64_t kMostColumns = 4096;      // a row of output pixels must fit thread_scratch

// A walk over images [count, in, height, width] that gives [count, out, out_h, out_w]. A pixel (i,
// j) reads the padded image from (i * stride_h, j * stride_w).
struct Walk {
  int64_t count, in, height, width, out, out_h, out_w, kernel_h, kernel_w;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  bool in_place() const { return pad_w == 0 && stride_w == 1; }
  int64_t phase_width() const { return ceil_div(width + 2 * pad_w, stride_w); }
  int64_t row() const { return phase_width() * stride_w; }
  int64_t plane() const { return height * row(); }
  int64_t taps() const { return kernel_h * kernel_w; }
  int64_t taps_per_row() const { return in * kernel_w; }
  int64_t depth() const { return in * taps(); }
  int64_t image_size() const { return in * plane(); }
  int64_t images_at_once(int64_t size) const {
    return std::clamp<int64_t>(kImageBytes / (image_size() * size), 1, count);
  }
  /// Where tap 0 of kernel row i lies, seen from the pixel, and tap j, seen from tap 0.
  int64_t kernel_row(int64_t i) const { return (i * dilation_h - pad_h) * row(); }
  int64_t kernel_column(int64_t j) const {
    const int64_t column = j * dilation_w;
    return column % stride_w * phase_width() + column / stride_w;
  }
};

Walk forward_walk(const ConvShape& s) {
  return {s.batch,    s.in_channels, s.height,   s.width,      s.out_channels,
          s.out_h(),  s.out_w(),     s.kernel_h, s.kernel_w,   s.stride_h,
          s.stride_w, s.pad_h,       s.pad_w,    s.dilation_h, s.dilation_w};
}

Walk backward_walk(const ConvShape& s) {
  const int64_t pad_h = s.dilation_h * (s.kernel_h - 1) - s.pad_h;
  const int64_t pad_w = s.dilation_w * (s.kernel_w - 1) - s.pad_w;
  return {s.batch,  s.out_channels, s.out_h(),  s.out_w(),    s.in_channels,
          s.height, s.width,        s.kernel_h, s.kernel_w,   1,
          1,        pad_h,          pad_w,      s.dilation_h, s.dilation_w};
}

template <class T>
struct Buffers {
  int64_t* offset;
  const T* weight = nullptr;
  T *packed, *images;

  Buffers(const Walk& w, Workspace& space) {
    constexpr int64_t lanes = kPanelBytes / sizeof(T);
    offset = space.take<int64_t>(w.depth());
    packed = space.take<T>(ceil_div(w.out, lanes) * lanes * w.depth());
    images = space.take<T>(w.in_place() ? 0 : w.images_at_once(sizeof(T)) * w.image_size());
  }
};

template <class T>
size_t walk_workspace(const Walk& walk) {
  Workspace space(nullptr);
  Buffers<T>(walk, space);
  return space.bytes();
}

template <class T>
void pad_images(const Walk& w, const ConvKernels<T>& kernel, const T* x, int64_t images, T* to) {
  const int64_t rows = images * w.in * w.height, grain = std::max<int64_t>(1, 16384 / w.row());
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    kernel.pad(
        {x + begin * w.width, w.width, to + begin * w.row(), w.pad_w, w.stride_w, w.phase_width()},
        end - begin);
  });
}

// Padded images in, planes out; tasks are parts of images, each with all output channels.
template <class T>
void walk_images(const Walk& w, const ConvKernels<T>& kernel, const Buffers<T>& buffers,
                 const T* images, int64_t count, const ConvTail<T>& tail, T* y) {
  const int64_t work = w.out_h * w.out_w * w.out * w.depth();
  const int64_t parts = std::clamp<int64_t>(work / kWorkPerTask, 1, w.out_h);
  const int64_t y_plane = w.out_h * w.out_w, lanes = kernel.tile_columns;
  parallel_for(count * parts, std::max<int64_t>(1, kWorkPerTask / 2 / std::max<int64_t>(work, 1)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t task = begin; task < end; ++task) {
                   const int64_t n = task / parts, part = task % parts;
                   for (int64_t o = 0; o < w.out; o += lanes) {
                     const int64_t at = (n * w.out + o) * y_plane;
                     kernel.rows({.image = images + n * w.image_size(),
                                  .row_step = w.stride_h * w.row(),
                                  .offset = buffers.offset,
                                  .weight = buffers.weight + o * w.depth(),
                                  .kernel_rows = w.kernel_h,
                                  .taps_per_row = w.taps_per_row(),
                                  .height = w.height,
                                  .stride = w.stride_h,
                                  .pad = w.pad_h,
                                  .dilation = w.dilation_h,
                                  .row_begin = w.out_h * part / parts,
                                  .row_end = w.out_h * (part + 1) / parts,
                                  .width = w.out_w,
                                  .channels = std::min(lanes, w.out - o),
                                  .y = y + at,
                                  .y_channel = y_plane,
                                  .bias = tail.bias ? tail.bias + o : nullptr,
                                  .scale = tail.scale ? tail.scale + o : nullptr,
                                  .shift = tail.shift ? tail.shift + o : nullptr,
                                  .residual = tail.residual ? tail.residual + at : nullptr,
                                  .relu = tail.relu,
                                  .mask = tail.mask ? tail.mask + at : nullptr,
                                  .scratch = reinterpret_cast<T*>(thread_scratch().data())});
                   }
                 }
               });
}

template <class T>
void run_walk(const Walk& w, const ConvKernels<T>& kernel, const Buffers<T>& buffers, const T* x,
              const ConvTail<T>& tail, T* y) {
  const int64_t at_once = w.in_place() ? w.count : w.images_at_once(sizeof(T));
  for (int64_t n = 0; n < w.count; n += at_once) {
    const int64_t count = std::min(at_once, w.count - n);
    const T* images = x + n * w.in * w.height * w.width;
    if (!w.in_place()) {
      pad_images(w, kernel, images, count, buffers.images);
      images = buffers.images;
    }
    const int64_t done = n * w.out * w.out_h * w.out_w;
    ConvTail<T> here = tail;
    if (here.residual) here.residual += done;
    if (here.mask) here.mask += done;
    walk_images(w, kernel, buffers, images, count, here, y + done);
  }
}

bool walk_serves(const ConvShape& s, const Walk& w) {
  return s.groups == 1 && w.in > 0 && w.taps() <= kMostTaps && w.out >= 4 && w.out_w >= 4 &&
         w.out_w <= kMostColumns && w.pad_w >= 0;
}

// Packs weights whose kernel of input channel c and output channel o lies at from[c * in_step + o *
// out_step], mirrored or not. Whole kernels, and of several channels where those lie one behind
// another, are turned at once and then dealt out to the kernel rows.
template <class T>
void pack_weight(const Walk& w, const ConvKernels<T>& kernel, const T* from, int64_t in_step,
                 int64_t out_step, bool mirror, T* to) {
  const int64_t lanes = kernel.tile_columns, taps = w.taps(), row = w.kernel_w * lanes;
  const int64_t together = in_step == taps ? std::max<int64_t>(1, kTurnedTaps / taps) : 1;
  const auto deal = [&](const T* turned, int64_t c, int64_t o) {
    for (int64_t i = 0; i < w.kernel_h; ++i) {
      const T* source = turned + (mirror ? w.kernel_h - 1 - i : i) * row;
      std::copy_n(source, row, to + (o * w.kernel_h + i * lanes) * w.taps_per_row() + c * row);
    }
  };
  const int64_t grain = std::max<int64_t>(1, 8192 / (w.out * taps * together));
  parallel_for(ceil_div(w.in, together), grain, [&](int64_t begin, int64_t end) {
    T* turned = reinterpret_cast<T*>(thread_scratch().data());
    for (int64_t c = begin * together; c < std::min(w.in, end * together); c += together) {
      const int64_t channels = std::min(together, w.in - c);
      for (int64_t o = 0; o < w.out; o += lanes) {
        kernel.pack(turned, lanes, from + c * in_step + o * out_step, out_step,
                    std::min(lanes, w.out - o), channels * taps);
        for (int64_t k = 0; k < channels; ++k) deal(turned + k * taps * lanes, c + k, o);
      }
    }
  });
}

// The columns of mirrored kernels are not turned around: their offsets are.
void fill_offsets(const Walk& w, bool mirror, int64_t* to) {
  for (int64_t j = 0; j < w.kernel_w; ++j) {  // of the first kernel row and channel
    to[j] = w.kernel_row(0) + w.kernel_column(mirror ? w.kernel_w - 1 - j : j);
  }
  for (int64_t k = w.kernel_w, c = 1; k < w.taps_per_row(); ++c) {
    for (int64_t j = 0; j < w.kernel_w; ++j, ++k) to[k] = to[j] + c * w.plane();
  }
  for (int64_t i = 1; i < w.kernel_h; ++i) {
    const int64_t down = w.kernel_row(i) - w.kernel_row(0);
    for (int64_t k = 0; k < w.taps_per_row(); ++k) to[i * w.taps_per_row() + k] = to[k] + down;
  }
}

}  // namespace

bool direct_serves(const ConvShape& s) { return walk_serves(s, forward_walk(s)); }

template <class T>
size_t direct_workspace(const ConvShape& s) {
  return walk_workspace<T>(forward_walk(s));
}

template <class T>
void direct_pack(const ConvShape& s, const T* weight, T* packed, Isa level) {
  const Walk w = forward_walk(s);
  pack_weight(w, simd_kernels<T>(level), weight, w.taps(), w.depth(), false, packed);
}

template <class T>
void direct(const ConvShape& s, const T* x, const T* weight, bool packed, const ConvTail<T>& tail,
            T* y, void* workspace, Isa level) {
  const Walk w = forward_walk(s);
  const ConvKernels<T>& kernel = simd_kernels<T>(level);
  Workspace space(workspace);
  Buffers<T> buffers(w, space);
  fill_offsets(w, false, buffers.offset);
  if (!packed) direct_pack(s, weight, buffers.packed, level);
  buffers.weight = packed ? weight : buffers.packed;
  run_walk(w, kernel, buffers, x, tail, y);
}

bool direct_grad_input_serves(const ConvShape& s) {
  return s.stride_h == 1 && s.stride_w == 1 && walk_serves(s, backward_walk(s));
}

template <class T>
size_t direct_grad_input_workspace(const ConvShape& s) {
  return walk_workspace<T>(backward_walk(s));
}

template <class T>
void direct_grad_input(const ConvShape& s, const T* gy, const T* weight, const T* mask, T* gx,
                       void* workspace, Isa level) {
  const Walk w = backward_walk(s);
  const ConvKernels<T>& kernel = simd_kernels<T>(level);
  Workspace space(workspace);
  Buffers<T> buffers(w, space);
  fill_offsets(w, true, buffers.offset);
  pack_weight(w, kernel, weight, w.out * w.taps(), w.taps(), true, buffers.packed);
  buffers.weight = buffers.packed;
  run_walk<T>(w, kernel, buffers, gy, {.mask = mask}, gx);
}

template size_t direct_workspace<float>(const ConvShape&);
template size_t direct_workspace<double>(const ConvShape&);
template void direct_pack(const ConvShape&, const float*, float*, Isa);
template void direct_pack(const ConvShape&, const double*, double*, Isa);
template void direct(const ConvShape&, const float*, const float*, bool, const ConvTail<float>&,
                     float*, void*, Isa);
template void direct(const ConvShape&, const double*, const double*, bool, const ConvTail<double>&,
                     double*, void*, Isa);
template size_t direct_grad_input_workspace<float>(const ConvShape&);
template size_t direct_grad_input_workspace<double>(const ConvShape&);
template void direct_grad_input(const ConvShape&, const float*, const float*, const float*, float*,
                                void*, Isa);
template void direct_grad_input(const ConvShape&, const double*, const double*, const double*,
                                double*, void*, Isa);

}  // namespace reprise::cpu
