#pragma once
// The places of one matrix product of a convolution (conv_geometry.h) in its operands, all in
// row-major order or, with Last, channels-last. Steps of the depth follow that order, so that
// neighbours lie side by side.

#include <cuda_runtime.h>

#include "conv_geometry.h"
#include "conv_work.h"

namespace reprise::cuda {

/// One factor of a place in the gathered image, a pixel or a tap: places add up, modulo 2^32 where
/// they stick out of the image. `other` is where the other operand, or the result, lies; -1: none.
struct alignas(16) ConvPlace {
  int64_t offset;
  unsigned h, w;
  int64_t other;

  __device__ static ConvPlace none() { return {0, 0, 0, -1}; }
};

/// Number i of `channels` times h x w taps.
struct ConvTap {
  int64_t channel, h, w;

  template <bool Last>
  __device__ static ConvTap at(int64_t i, int64_t channels, int64_t height, int64_t width) {
    if constexpr (Last) {
      const int64_t tap = i / channels, h = tap / width;
      return {i - tap * channels, h, tap - h * width};
    } else {
      const int64_t line = i / width, channel = line / height;
      return {channel, line - channel * height, i - line * width};
    }
  }
};

/// A dense operand with images or kernels of c x h x w.
template <bool Last>
struct ConvGrid {
  int64_t c, h, w;

  __device__ int64_t at(int64_t n, int64_t channel, int64_t row, int64_t column) const {
    if constexpr (Last) return ((n * h + row) * w + column) * c + channel;
    return ((n * c + channel) * h + row) * w + column;
  }
  __device__ int64_t next_channel() const { return Last ? 1 : h * w; }
  __device__ int64_t next_image() const { return c * h * w; }
};

/// What the products of all passes know.
template <bool Last>
struct ConvProduct {
  ConvShape s;
  int64_t group, in, out;
  ConvGrid<Last> x, weight, y;

  __device__ ConvProduct(const ConvShape& shape, int64_t of_group)
      : s(shape),
        group(of_group),
        in(s.in_channels / s.groups),
        out(s.out_channels / s.groups),
        x{s.in_channels, s.height, s.width},
        weight{in, s.kernel_h, s.kernel_w},
        y{s.out_channels, s.out_h(), s.out_w()} {}
};

/// Columns of pixels of y, or steps of them, and taps of the weight of one group.
template <bool Last>
struct ConvWindows : ConvProduct<Last> {
  using P = ConvProduct<Last>;
  using P::P, P::s, P::group, P::in, P::out, P::x, P::weight, P::y;

  __device__ int64_t pixels() const { return s.batch * y.h * y.w; }
  __device__ int64_t taps() const { return in * s.kernel_h * s.kernel_w; }
  /// The place of a pixel of y in x, beside that in y.
  __device__ ConvPlace pixel(int64_t i) const {
    const int64_t line = i / y.w, image = line / y.h;
    const int64_t row = line - image * y.h, column = i - line * y.w;
    const int64_t h = row * s.stride_h - s.pad_h, w = column * s.stride_w - s.pad_w;
    return {x.at(image, group * in, h, w), static_cast<unsigned>(h), static_cast<unsigned>(w),
            y.at(image, group * out, row, column)};
  }
  /// The place of a tap in x, beside that in the weight.
  __device__ ConvPlace tap(int64_t i) const {
    const ConvTap t = ConvTap::at<Last>(i, in, s.kernel_h, s.kernel_w);
    const int64_t h = t.h * s.dilation_h, w = t.w * s.dilation_w;
    return {x.at(0, t.channel, h, w), static_cast<unsigned>(h), static_cast<unsigned>(w),
            weight.at(group * out, t.channel, t.h, t.w)};
  }
  __device__ unsigned height() const { return static_cast<unsigned>(s.height); }
  __device__ unsigned width() const { return static_cast<unsigned>(s.width); }
};

// Of each pass: its sizes, how far rows are apart in the operand that is not gathered and in the
// result, and along what neighbouring threads read: where neighbours lie side by side.

template <bool Last>
struct ConvForward : ConvWindows<Last> {
  using P = ConvWindows<Last>;
  static constexpr ConvPass pass = ConvPass::forward;
  static constexpr bool lanes_along_rows = false, lanes_along_columns = !Last;
  using P::P;
  __device__ int64_t rows() const { return P::out; }
  __device__ int64_t columns() const { return P::pixels(); }
  __device__ int64_t depth() const { return P::taps(); }
  __device__ int64_t row_of_operand() const { return P::weight.next_image(); }
  __device__ int64_t row_of_result() const { return P::y.next_channel(); }
  __device__ ConvPlace column(int64_t n) const { return P::pixel(n); }
  __device__ ConvPlace step(int64_t k) const { return P::tap(k); }
};

template <bool Last>
struct ConvWeightGrad : ConvWindows<Last> {
  using P = ConvWindows<Last>;
  static constexpr ConvPass pass = ConvPass::weight_grad;
  static constexpr bool lanes_along_rows = Last, lanes_along_columns = Last;
  using P::P;
  __device__ int64_t rows() const { return P::out; }
  __device__ int64_t columns() const { return P::taps(); }
  __device__ int64_t depth() const { return P::pixels(); }
  __device__ int64_t row_of_operand() const { return P::y.next_channel(); }
  __device__ int64_t row_of_result() const { return P::weight.next_image(); }
  __device__ ConvPlace column(int64_t n) const { return P::tap(n); }
  __device__ ConvPlace step(int64_t k) const { return P::pixel(k); }
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

template <bool Last>
struct ConvInputGrad : ConvProduct<Last> {
  using P = ConvProduct<Last>;
  static constexpr ConvPass pass = ConvPass::input_grad;
  static constexpr bool lanes_along_rows = Last, lanes_along_columns = !Last;
  Phase down, across;

  __device__ ConvInputGrad(const ConvShape& s, int64_t product)
      : P(s, product / (std::min(s.stride_h, s.height) * std::min(s.stride_w, s.width))),
        down(product / std::min(s.stride_w, s.width) % std::min(s.stride_h, s.height), s.height,
             s.kernel_h, s.stride_h, s.pad_h, s.dilation_h, period_of(s.stride_h, s.dilation_h)),
        across(product % std::min(s.stride_w, s.width), s.width, s.kernel_w, s.stride_w, s.pad_w,
               s.dilation_w, period_of(s.stride_w, s.dilation_w)) {}

  __device__ static int64_t period_of(int64_t stride, int64_t dilation) {
    int64_t a = stride, b = dilation;
    while (b != 0) {
      const int64_t rest = a % b;
      a = b;
      b = rest;
    }
    return stride / a;
  }

  __device__ int64_t rows() const { return P::in; }
  __device__ int64_t columns() const { return P::s.batch * down.pixels * across.pixels; }
  __device__ int64_t depth() const { return P::out * down.taps * across.taps; }
  __device__ int64_t row_of_operand() const { return P::weight.next_channel(); }
  __device__ int64_t row_of_result() const { return P::x.next_channel(); }
  __device__ ConvPlace column(int64_t n) const {
    const int64_t line = n / across.pixels, image = line / down.pixels;
    const int64_t i = line - image * down.pixels, j = n - line * across.pixels;
    const int64_t h = down.first_pixel + i * down.stride;
    const int64_t w = across.first_pixel + j * across.stride;
    return {P::y.at(image, P::group * P::out, i, j), static_cast<unsigned>(i),
            static_cast<unsigned>(j), P::x.at(image, P::group * P::in, h, w)};
  }
  __device__ ConvPlace step(int64_t k) const {
    const ConvTap t = ConvTap::at<Last>(k, P::out, down.taps, across.taps);
    const int64_t tap_h = down.tap(t.h), tap_w = across.tap(t.w);
    const int64_t h = down.meets(tap_h), w = across.meets(tap_w);
    return {P::y.at(0, t.channel, h, w), static_cast<unsigned>(h), static_cast<unsigned>(w),
            P::weight.at(P::group * P::out + t.channel, 0, tap_h, tap_w)};
  }
  __device__ unsigned height() const { return static_cast<unsigned>(P::y.h); }
  __device__ unsigned width() const { return static_cast<unsigned>(P::y.w); }
};

}  // namespace reprise::cuda
