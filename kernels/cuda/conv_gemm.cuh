#pragma once
// Convolution as a matrix product whose second operand is never written down (implicit GEMM): the
// pixel of column n that step k of the depth reads is found by adding two places in the image.
// A block of 64 threads makes 64 x 64 results, each thread 8 x 8 of them in registers. It reads 8
// steps of the depth at a time into one half of its shared memory while it multiplies the other,
// and the places of the steps one turn ahead of that.

#include "conv_tail.cuh"
#include "launch.cuh"

namespace reprise::cuda {

__device__ inline float multiply_add(float a, float b, float c) { return __fmaf_rn(a, b, c); }
__device__ inline double multiply_add(double a, double b, double c) { return __fma_rn(a, b, c); }

/// One factor of a place in the gathered image, a pixel or a tap: places add up, modulo 2^32 where
/// they stick out of the image. `other` is where the other operand, or the result, lies; -1: none.
struct alignas(16) ConvPlace {
  int64_t offset;
  unsigned h, w;
  int64_t other;

  __device__ static ConvPlace none() { return {0, 0, 0, -1}; }
};

/// Columns of pixels of y, or steps of them, and taps of the weight of one group.
struct ConvWindows {
  ConvShape s;
  int64_t group, in, out, pixels, taps;

  __device__ ConvWindows(const ConvShape& shape, int64_t product)
      : s(shape),
        group(product),
        in(s.in_channels / s.groups),
        out(s.out_channels / s.groups),
        pixels(s.out_h() * s.out_w()),
        taps(in * s.kernel_h * s.kernel_w) {}

  /// The place of a pixel of y in x, beside that in y.
  __device__ ConvPlace pixel(int64_t i) const {
    const int64_t image = i / pixels, at = i - image * pixels, width = s.out_w();
    const int64_t row = at / width;
    const int64_t h = row * s.stride_h - s.pad_h, w = (at - row * width) * s.stride_w - s.pad_w;
    return {((image * s.in_channels + group * in) * s.height + h) * s.width + w,
            static_cast<unsigned>(h), static_cast<unsigned>(w),
            (image * s.out_channels + group * out) * pixels + at};
  }
  /// The place of a tap in x, beside that in the weight.
  __device__ ConvPlace tap(int64_t i) const {
    const int64_t line = i / s.kernel_w, channel = line / s.kernel_h;
    const int64_t h = (line - channel * s.kernel_h) * s.dilation_h;
    const int64_t w = (i - line * s.kernel_w) * s.dilation_w;
    return {(channel * s.height + h) * s.width + w, static_cast<unsigned>(h),
            static_cast<unsigned>(w), group * out * taps + i};
  }
  __device__ unsigned height() const { return static_cast<unsigned>(s.height); }
  __device__ unsigned width() const { return static_cast<unsigned>(s.width); }
};

struct ConvForward : ConvWindows {
  static constexpr ConvPass pass = ConvPass::forward;
  static constexpr bool lanes_along_columns = true;  // neighbouring columns lie side by side
  using ConvWindows::ConvWindows;
  __device__ int64_t rows() const { return out; }
  __device__ int64_t columns() const { return s.batch * pixels; }
  __device__ int64_t depth() const { return taps; }
  __device__ int64_t row_of_operand() const { return taps; }
  __device__ int64_t row_of_result() const { return pixels; }
  __device__ ConvPlace column(int64_t n) const { return pixel(n); }
  __device__ ConvPlace step(int64_t k) const { return tap(k); }
};

struct ConvWeightGrad : ConvWindows {
  static constexpr ConvPass pass = ConvPass::weight_grad;
  static constexpr bool lanes_along_columns = false;
  using ConvWindows::ConvWindows;
  __device__ int64_t rows() const { return out; }
  __device__ int64_t columns() const { return taps; }
  __device__ int64_t depth() const { return s.batch * pixels; }
  __device__ int64_t row_of_operand() const { return pixels; }
  __device__ int64_t row_of_result() const { return taps; }
  __device__ ConvPlace column(int64_t n) const { return tap(n); }
  __device__ ConvPlace step(int64_t k) const { return pixel(k); }
};

/// The pixels of gx of one phase along one axis, and the taps that they meet.
struct Phase {
  int64_t first_pixel, stride, pixels;
  int64_t first_tap = 0, period, taps = 0;
  int64_t padding, dilation;

  __device__ Phase(int64_t phase, int64_t size, int64_t kernel, int64_t by, int64_t pad,
                   int64_t dilated, int64_t every)
      : first_pixel(phase),
        stride(by),
        pixels((size - phase + by - 1) / by),
        period(every),
        padding(pad),
        dilation(dilated) {
    while (first_tap < period && first_tap < kernel && (start() - first_tap * dilation) % stride) {
      ++first_tap;
    }
    if (first_tap < period && first_tap < kernel) taps = (kernel - first_tap - 1) / period + 1;
  }
  __device__ int64_t start() const { return first_pixel + padding; }
  __device__ int64_t tap(int64_t i) const { return first_tap + i * period; }
  /// Where the first pixel meets that tap in gy. What is clamped lies outside, for all pixels.
  __device__ int64_t meets(int64_t tap) const {
    return std::max<int64_t>((start() - tap * dilation) / stride, INT32_MIN);
  }
};

struct ConvInputGrad {
  static constexpr ConvPass pass = ConvPass::input_grad;
  static constexpr bool lanes_along_columns = true;
  ConvShape s;
  int64_t phases_across, group, in, out, out_h, out_w;
  Phase down, across;

  __device__ ConvInputGrad(const ConvShape& shape, int64_t product)
      : s(shape),
        phases_across(std::min(s.stride_w, s.width)),
        group(product / (phases_across * std::min(s.stride_h, s.height))),
        in(s.in_channels / s.groups),
        out(s.out_channels / s.groups),
        out_h(s.out_h()),
        out_w(s.out_w()),
        down(product / phases_across % std::min(s.stride_h, s.height), s.height, s.kernel_h,
             s.stride_h, s.pad_h, s.dilation_h, period_of(s.stride_h, s.dilation_h)),
        across(product % phases_across, s.width, s.kernel_w, s.stride_w, s.pad_w, s.dilation_w,
               period_of(s.stride_w, s.dilation_w)) {}

  __device__ static int64_t period_of(int64_t stride, int64_t dilation) {
    int64_t a = stride, b = dilation;
    while (b != 0) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    return stride / a;
  }

  __device__ int64_t rows() const { return in; }
  __device__ int64_t columns() const { return s.batch * down.pixels * across.pixels; }
  __device__ int64_t depth() const { return out * down.taps * across.taps; }
  __device__ int64_t row_of_operand() const { return s.kernel_h * s.kernel_w; }
  __device__ int64_t row_of_result() const { return s.height * s.width; }
  __device__ ConvPlace column(int64_t n) const {
    const int64_t line = n / across.pixels, image = line / down.pixels;
    const int64_t i = line - image * down.pixels, j = n - line * across.pixels;
    const int64_t h = down.first_pixel + i * down.stride;
    const int64_t w = across.first_pixel + j * across.stride;
    return {((image * s.out_channels + group * out) * out_h + i) * out_w + j,
            static_cast<unsigned>(i), static_cast<unsigned>(j),
            ((image * s.in_channels + group * in) * s.height + h) * s.width + w};
  }
  __device__ ConvPlace step(int64_t k) const {
    const int64_t line = k / across.taps, channel = line / down.taps;
    const int64_t tap_h = down.tap(line - channel * down.taps);
    const int64_t tap_w = across.tap(k - line * across.taps);
    const int64_t h = down.meets(tap_h), w = across.meets(tap_w);
    return {(channel * out_h + h) * out_w + w, static_cast<unsigned>(h), static_cast<unsigned>(w),
            ((group * out + channel) * in * s.kernel_h + tap_h) * s.kernel_w + tap_w};
  }
  __device__ unsigned height() const { return static_cast<unsigned>(out_h); }
  __device__ unsigned width() const { return static_cast<unsigned>(out_w); }
};

inline constexpr int kConvThreads = 64;
inline constexpr int kConvEach = 8;              // rows and columns of a thread
inline constexpr int kConvLine = kConvTile + 4;  // of shared memory: lanes hit other banks
static_assert(kConvDepth * kConvDepth == kConvThreads && kConvDepth * kConvEach == kConvTile);

template <class T>
struct ConvShared {
  T a[2][kConvDepth][kConvLine], b[2][kConvDepth][kConvLine];
  ConvPlace steps[2][kConvDepth];
  ConvPlace columns[kConvTile];
};

/// One block at work.
template <class Pass, class T>
class ConvBlock {
 public:
  __device__ ConvBlock(const ConvShape& s, const ConvCut& cut, ConvShared<T>& shared)
      : thread_(static_cast<int>(threadIdx.x)), shared_(shared), pass_(s, product_of(cut)) {
    int64_t at = blockIdx.x;
    row_ = at % cut.row_tiles * kConvTile;
    at /= cut.row_tiles;
    const int64_t n = at % cut.column_tiles * kConvTile + thread_;
    slice_ = at / cut.column_tiles % cut.slices;
    const int64_t depth = pass_.depth(), turns = (depth + kConvDepth - 1) / kConvDepth;
    begin_ = turns * slice_ / cut.slices * kConvDepth;
    end_ = std::min(turns * (slice_ + 1) / cut.slices * kConvDepth, depth);
    column_ = n < pass_.columns() ? pass_.column(n) : ConvPlace::none();
    shared_.columns[thread_] = column_;
  }

  __device__ void multiply(const T* a, const T* b) {
    find_steps(0, begin_);
    __syncthreads();
    find_steps(1, begin_ + kConvDepth);
    load(0, a, b);
    store(0);
    __syncthreads();
    int turn = 0;
    for (int64_t k = begin_; k < end_; k += kConvDepth, turn ^= 1) {
      const bool more = k + kConvDepth < end_;
      if (kReadsAhead && more) load(turn ^ 1, a, b);
      find_steps(turn, k + 2 * kConvDepth);
      accumulate(turn);
      if (!kReadsAhead && more) load(turn ^ 1, a, b);
      if (more) store(turn ^ 1);
      __syncthreads();
    }
  }

  /// Calls f(sum, channel, place in the result) for the results of this thread.
  template <class F>
  __device__ void each_result(F f) const {
#pragma unroll
    for (int j = 0; j < kConvEach; ++j) {
      const int64_t place = shared_.columns[mine(thread_ % kConvDepth, j)].other;
#pragma unroll
      for (int i = 0; i < kConvEach; ++i) {
        const int64_t m = row_ + mine(thread_ / kConvDepth, i);
        if (place < 0 || m >= pass_.rows()) continue;
        f(sums_[i][j], pass_.group * pass_.rows() + m, place + m * pass_.row_of_result());
      }
    }
  }

  __device__ int64_t slice() const { return slice_; }

 private:
  __device__ static int64_t product_of(const ConvCut& cut) {
    return blockIdx.x / (cut.row_tiles * cut.column_tiles * cut.slices);
  }
  /// Rows and columns of a thread: four side by side in either half of the tile.
  __device__ static int mine(int group, int i) {
    return i / 4 * (kConvTile / 2) + group * 4 + i % 4;
  }

  __device__ void find_steps(int turn, int64_t k) {
    if (thread_ >= kConvDepth) return;
    k += thread_;
    shared_.steps[turn][thread_] = k < end_ ? pass_.step(k) : ConvPlace::none();
  }

  __device__ T gather(const T* b, const ConvPlace& step, const ConvPlace& column) const {
    const unsigned h = step.h + column.h, w = step.w + column.w;
    const bool there =
        step.other >= 0 && column.other >= 0 && h < pass_.height() && w < pass_.width();
    return there ? b[step.offset + column.offset] : T(0);
  }

  __device__ void load(int turn, const T* a, const T* b) {
    const ConvPlace step = shared_.steps[turn][thread_ % kConvDepth];
    const int64_t line = pass_.row_of_operand(), rows = pass_.rows();
#pragma unroll
    for (int i = 0; i < kConvEach; ++i) {
      const int64_t m = row_ + thread_ / kConvDepth + i * kConvDepth;
      next_a_[i] = step.other >= 0 && m < rows ? a[step.other + m * line] : T(0);
      if constexpr (Pass::lanes_along_columns) {
        next_b_[i] = gather(b, shared_.steps[turn][i], column_);
      } else {
        next_b_[i] = gather(b, step, shared_.columns[thread_ / kConvDepth + i * kConvDepth]);
      }
    }
  }

  __device__ void store(int turn) {
    const int k = thread_ % kConvDepth, line = thread_ / kConvDepth;
#pragma unroll
    for (int i = 0; i < kConvEach; ++i) {
      shared_.a[turn][k][line + i * kConvDepth] = next_a_[i];
      if constexpr (Pass::lanes_along_columns) {
        shared_.b[turn][i][thread_] = next_b_[i];
      } else {
        shared_.b[turn][k][line + i * kConvDepth] = next_b_[i];
      }
    }
  }

  __device__ void accumulate(int turn) {
#pragma unroll
    for (int k = 0; k < kConvDepth; ++k) {
      Acc<T> a[kConvEach], b[kConvEach];
#pragma unroll
      for (int i = 0; i < kConvEach; ++i) {
        a[i] = static_cast<Acc<T>>(shared_.a[turn][k][mine(thread_ / kConvDepth, i)]);
        b[i] = static_cast<Acc<T>>(shared_.b[turn][k][mine(thread_ % kConvDepth, i)]);
      }
#pragma unroll
      for (int i = 0; i < kConvEach; ++i) {
#pragma unroll
        for (int j = 0; j < kConvEach; ++j) sums_[i][j] = multiply_add(a[i], b[j], sums_[i][j]);
      }
    }
  }

  static constexpr bool kReadsAhead = sizeof(T) < 8;  // doubles leave no registers for it

  const int thread_;
  ConvShared<T>& shared_;
  const Pass pass_;
  int64_t row_, slice_, begin_, end_;
  ConvPlace column_;
  T next_a_[kConvEach], next_b_[kConvEach];
  Acc<T> sums_[kConvEach][kConvEach] = {};
};

/// Slices go to `slices`, one result behind another, unless there is only one.
template <class Pass, class T>
__global__ __launch_bounds__(kConvThreads) void conv_gemm(ConvShape s, ConvCut cut, const T* a,
                                                          const T* b, ConvTail<T> tail, T* out,
                                                          Acc<T>* slices, int64_t results) {
  __shared__ ConvShared<T> shared;
  ConvBlock<Pass, T> block(s, cut, shared);
  block.multiply(a, b);
  Acc<T>* const to = slices + block.slice() * results;
  block.each_result([&](Acc<T> sum, int64_t channel, int64_t at) {
    if (cut.slices == 1) {
      out[at] = finish(sum, tail, channel, at);
    } else {
      to[at] = sum;
    }
  });
}

/// a: weight, weight or gy; b: x, gy or x; out: y, gx or gw, by the pass.
template <class Pass, class T>
void run_conv(reprise::Stream stream, const ConvShape& s, const T* a, const T* b,
              const ConvTail<T>& tail, T* out, void* workspace) {
  const ConvCut cut = conv_cut(Pass::pass, s);
  auto* const slices = static_cast<Acc<T>*>(workspace);
  launch(stream, Grid{static_cast<unsigned>(cut.blocks()), kConvThreads}, conv_gemm<Pass, T>, s,
         cut, a, b, tail, out, slices, conv_results(Pass::pass, s));
  if (cut.slices > 1) finish_conv(stream, Pass::pass, s, slices, cut.slices, tail, out);
}

}  // namespace reprise::cuda
