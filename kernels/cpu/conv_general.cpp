// Convolution of any stride, padding, dilation and groups by way of matrices: im2col writes the
// patches of one image and group as a matrix [channels x taps, pixels], and the rest is gemm. The
// items (image, group) go round in slots, each with matrices of its own; their number follows from
// the sizes alone. With several slots they run in parallel, with one the work inside the item does.

#include <algorithm>
#include <span>

#include "../../core/parallel.h"
#include "conv_paths.h"
#include "gemm.h"
#include "simd/elementwise.h"
#include "workspace.h"

namespace reprise::cpu {
namespace {

constexpr int64_t kSlots = 16;
constexpr int64_t kSlotsBytes = 4 << 20;  // of all slots, unless one alone needs more
constexpr int64_t kGrain = 8192;          // elements to copy

// Sizes of one group.
struct Patches {
  const ConvShape& s;
  int64_t channels = s.in_channels / s.groups, outputs = s.out_channels / s.groups;
  int64_t taps = s.kernel_h * s.kernel_w, depth = channels * taps;
  int64_t out_h = s.out_h(), out_w = s.out_w(), pixels = out_h * out_w;
  int64_t plane = s.height * s.width;
  int64_t items = s.batch * s.groups;

  // With 1x1 kernels the image is its own matrix of patches.
  bool trivial() const {
    return taps == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 && s.pad_w == 0;
  }
  // Columns of the output whose tap `kw` falls into the image: first and one past the last.
  int64_t first(int64_t tap) const {
    const int64_t start = tap * s.dilation_w - s.pad_w;
    return start >= 0 ? 0 : std::min(out_w, (-start + s.stride_w - 1) / s.stride_w);
  }
  int64_t last(int64_t tap) const {
    const int64_t rest = s.width - 1 - (tap * s.dilation_w - s.pad_w);
    return rest < 0 ? 0 : std::min(out_w, rest / s.stride_w + 1);
  }
};

// Calls f(column, row of the image, tap) for each output row of one line (channel, kernel row,
// kernel column) of the matrix of patches; a row outside of the image is null.
template <class T, class F>
void for_rows(const Patches& p, int64_t line, T* column, T* image, F&& f) {
  const int64_t kernel_row = line / p.s.kernel_w % p.s.kernel_h, tap = line % p.s.kernel_w;
  T* plane = image + line / p.taps * p.plane;
  for (int64_t i = 0; i < p.out_h; ++i) {
    const int64_t row = i * p.s.stride_h - p.s.pad_h + kernel_row * p.s.dilation_h;
    f(column + i * p.out_w, row >= 0 && row < p.s.height ? plane + row * p.s.width : nullptr, tap);
  }
}

template <class T>
void gather_row(const Patches& p, T* to, const T* row, int64_t tap) {
  if (!row) return std::fill(to, to + p.out_w, T(0));
  const int64_t first = p.first(tap), last = std::max(first, p.last(tap));
  const int64_t start = tap * p.s.dilation_w - p.s.pad_w, stride = p.s.stride_w;
  std::fill(to, to + first, T(0));
  if (stride == 1) {
    std::copy_n(row + start + first, last - first, to + first);
  } else {
    for (int64_t j = first; j < last; ++j) to[j] = row[start + j * stride];
  }
  std::fill(to + last, to + p.out_w, T(0));
}

template <class T>
void im2col(const Patches& p, const T* image, T* columns) {
  parallel_for(p.depth, std::max<int64_t>(1, kGrain / p.pixels), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      for_rows(p, line, columns + line * p.pixels, const_cast<T*>(image),
               [&](T* to, const T* row, int64_t tap) { gather_row(p, to, row, tap); });
    }
  });
}

// The lines of one channel are added in their order to its plane.
template <class T>
void col2im(const Patches& p, T* columns, T* image) {
  parallel_for(p.channels, std::max<int64_t>(1, kGrain / (p.pixels * p.taps)),
               [&](int64_t begin, int64_t end) {
                 std::fill(image + begin * p.plane, image + end * p.plane, T(0));
                 for (int64_t line = begin * p.taps; line < end * p.taps; ++line) {
                   for_rows(p, line, columns + line * p.pixels, image,
                            [&](const T* from, T* row, int64_t tap) {
                              if (!row) return;
                              const int64_t start = tap * p.s.dilation_w - p.s.pad_w;
                              for (int64_t j = p.first(tap); j < p.last(tap); ++j)
                                row[start + j * p.s.stride_w] += from[j];
                            });
                 }
               });
}

template <class T>
struct Slots {
  int64_t count, columns_size, sums_size, gemm_size;
  T *columns, *sums;
  std::byte* gemm_space;

  Slots(const Patches& p, int64_t sums_each, size_t gemm_bytes, Workspace& space) {
    columns_size = p.trivial() ? 0 : p.depth * p.pixels;
    sums_size = sums_each;
    gemm_size = static_cast<int64_t>((gemm_bytes + 63) / 64 * 64);
    const int64_t bytes = (columns_size + sums_size) * int64_t{sizeof(T)} + gemm_size;
    count = std::clamp<int64_t>(kSlotsBytes / std::max<int64_t>(bytes, 1), 1,
                                std::min(kSlots, std::max<int64_t>(p.items, 1)));
    columns = space.take<T>(count * columns_size);
    sums = space.take<T>(count * sums_size);
    gemm_space = space.take<std::byte>(count * gemm_size);
  }

  // f(slot, item) for all items, those of a slot in ascending order.
  template <class F>
  void for_items(int64_t items, F&& f) const {
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t slot = begin; slot < end; ++slot) {
        for (int64_t item = slot; item < items; item += count) f(slot, item);
      }
    });
  }
};

// Does the rest of the tail to the channels of one item while they are in the cache.
template <class T>
void finish(const ConvTail<T>& tail, const Patches& p, int64_t item, T* y, Isa level) {
  if (!tail.scale && !tail.residual && !tail.relu) return;
  const auto loop = [&](auto op) { return elementwise_table(level).at(op, dtype_of<T>()); };
  const int64_t row = item * p.outputs, channel = item % p.s.groups * p.outputs;
  parallel_for(p.outputs, std::max<int64_t>(1, kGrain / p.pixels), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; tail.scale && o < end; ++o) {
      const T scale = tail.scale[channel + o], shift = tail.shift[channel + o];
      for (T& v : std::span(y + (row + o) * p.pixels, p.pixels)) v = v * scale + shift;
    }
    const int64_t first = (row + begin) * p.pixels, count = (end - begin) * p.pixels;
    const T* residual = tail.residual ? tail.residual + first : nullptr;
    void* operands[] = {y + first, y + first, const_cast<T*>(residual)};
    if (tail.residual) loop(ElementwiseIndex::Add)(&tail, count, operands);
    if (tail.relu) loop(ElementwiseIndex::Relu)(&tail, count, operands);  // no attributes
  });
}

// to = from where the mask is positive, else 0.
template <class T>
void apply_mask(const T* from, const T* mask, T* to, int64_t count, Isa level) {
  const Loop loop = elementwise_table(level).at(ElementwiseIndex::ReluGrad, dtype_of<T>());
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    void* operands[] = {to + begin, const_cast<T*>(from) + begin, const_cast<T*>(mask) + begin};
    loop(&mask, end - begin, operands);  // the op has no attributes to read
  });
}

template <class T>
size_t gemm_bytes(const Patches& p) {
  return std::max(gemm_workspace<T>(p.outputs, p.pixels, p.depth),
                  gemm_workspace<T>(p.depth, p.pixels, p.outputs));
}

}  // namespace

template <class T>
size_t general_workspace(const ConvShape& s) {
  const Patches p{s};
  Workspace space(nullptr);
  Slots<T>(p, 0, gemm_bytes<T>(p), space);
  return space.bytes();
}

template <class T>
void general(const ConvShape& s, const T* x, const T* weight, const ConvTail<T>& tail, T* y,
             void* workspace, Isa level) {
  const Patches p{s};
  Workspace space(workspace);
  const Slots<T> slots(p, 0, gemm_bytes<T>(p), space);
  slots.for_items(p.items, [&](int64_t slot, int64_t item) {
    const int64_t group = item % s.groups;
    const T* image = x + item * p.channels * p.plane;
    T* columns = slots.columns + slot * slots.columns_size;
    if (!p.trivial()) im2col(p, image, columns);
    gemm(Gemm<T>{.m = p.outputs,
                 .n = p.pixels,
                 .k = p.depth,
                 .a = weight + group * p.outputs * p.depth,
                 .a_row = p.depth,
                 .a_column = 1,
                 .b = p.trivial() ? image : columns,
                 .b_row = p.pixels,
                 .b_column = 1,
                 .c = y + item * p.outputs * p.pixels,
                 .c_row = p.pixels,
                 .row_bias = tail.bias ? tail.bias + group * p.outputs : nullptr},
         slots.gemm_space + slot * slots.gemm_size, level);
    finish(tail, p, item, y, level);
  });
}

// A masked image is made beside its mask, which may lie where the result belongs.
template <class T>
size_t general_grad_input_workspace(const ConvShape& s, bool masked) {
  const Patches p{s};
  Workspace space(nullptr);
  Slots<T>(p, masked ? p.channels * p.plane : 0, gemm_bytes<T>(p), space);
  return space.bytes();
}

template <class T>
void general_grad_input(const ConvShape& s, const T* gy, const T* weight, const T* mask, T* gx,
                        void* workspace, Isa level) {
  const Patches p{s};
  const int64_t size = p.channels * p.plane;
  Workspace space(workspace);
  const Slots<T> slots(p, mask ? size : 0, gemm_bytes<T>(p), space);
  slots.for_items(p.items, [&](int64_t slot, int64_t item) {
    T* image = mask ? slots.sums + slot * size : gx + item * size;
    T* columns = p.trivial() ? image : slots.columns + slot * slots.columns_size;
    gemm(Gemm<T>{.m = p.depth,
                 .n = p.pixels,
                 .k = p.outputs,
                 .a = weight + item % s.groups * p.outputs * p.depth,
                 .a_row = 1,
                 .a_column = p.depth,
                 .b = gy + item * p.outputs * p.pixels,
                 .b_row = p.pixels,
                 .b_column = 1,
                 .c = columns,
                 .c_row = p.pixels},
         slots.gemm_space + slot * slots.gemm_size, level);
    if (!p.trivial()) col2im(p, columns, image);
    if (mask) apply_mask(image, mask + item * size, gx + item * size, size, level);
  });
}

template <class T>
size_t general_grad_weight_workspace(const ConvShape& s) {
  const Patches p{s};
  Workspace space(nullptr);
  Slots<T>(p, s.out_channels * p.depth, gemm_workspace<T>(p.outputs, p.depth, p.pixels), space);
  return space.bytes();
}

// Each slot sums the images it sees; the sums of the slots are added in their order.
template <class T>
void general_grad_weight(const ConvShape& s, const T* x, const T* gy, T* gw, void* workspace,
                         Isa level) {
  const Patches p{s};
  const int64_t weights = s.out_channels * p.depth;
  Workspace space(workspace);
  const Slots<T> slots(p, weights, gemm_workspace<T>(p.outputs, p.depth, p.pixels), space);
  std::fill_n(slots.sums, slots.count * weights, T(0));
  slots.for_items(p.items, [&](int64_t slot, int64_t item) {
    const T* image = x + item * p.channels * p.plane;
    T* columns = slots.columns + slot * slots.columns_size;
    if (!p.trivial()) im2col(p, image, columns);
    gemm(Gemm<T>{.m = p.outputs,
                 .n = p.depth,
                 .k = p.pixels,
                 .a = gy + item * p.outputs * p.pixels,
                 .a_row = p.pixels,
                 .a_column = 1,
                 .b = p.trivial() ? image : columns,
                 .b_row = 1,
                 .b_column = p.pixels,
                 .c = slots.sums + slot * weights + item % s.groups * p.outputs * p.depth,
                 .c_row = p.depth,
                 .accumulate = true},
         slots.gemm_space + slot * slots.gemm_size, level);
  });
  parallel_for(weights, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T sum = slots.sums[i];
      for (int64_t slot = 1; slot < slots.count; ++slot) sum += slots.sums[slot * weights + i];
      gw[i] = sum;
    }
  });
}

template size_t general_workspace<float>(const ConvShape&);
template size_t general_workspace<double>(const ConvShape&);
template void general(const ConvShape&, const float*, const float*, const ConvTail<float>&, float*,
                      void*, Isa);
template void general(const ConvShape&, const double*, const double*, const ConvTail<double>&,
                      double*, void*, Isa);
template size_t general_grad_input_workspace<float>(const ConvShape&, bool);
template size_t general_grad_input_workspace<double>(const ConvShape&, bool);
template void general_grad_input(const ConvShape&, const float*, const float*, const float*, float*,
                                 void*, Isa);
template void general_grad_input(const ConvShape&, const double*, const double*, const double*,
                                 double*, void*, Isa);
template size_t general_grad_weight_workspace<float>(const ConvShape&);
template size_t general_grad_weight_workspace<double>(const ConvShape&);
template void general_grad_weight(const ConvShape&, const float*, const float*, float*, void*, Isa);
template void general_grad_weight(const ConvShape&, const double*, const double*, double*, void*,
                                  Isa);

}  // namespace reprise::cpu
