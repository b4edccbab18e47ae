#pragma once
// How our own convolution kernel cuts its work: everything here follows from the sizes alone, so
// results have the same bits on every device. The three passes are matrix products in groups:
//
//                  rows             columns              depth
//   forward        out channels     pixels of y          in channels and taps
//   input_grad     in channels      pixels of gx         out channels and taps
//   weight_grad    out channels     in channels, taps    pixels of y
//
// With a stride, a pixel of gx meets only every stride-th tap. So the pixels fall into phases,
// their places modulo the stride, and each phase is a product of its own with the taps that it
// meets.

#include <algorithm>
#include <numeric>

#include "../conv_shape.h"

namespace reprise::cuda {

inline constexpr int kConvTile = 64;  ///< rows and columns of a block
inline constexpr int kConvDepth = 8;  ///< what a block reads at once of the depth

/// What makes a phase along one axis of an input gradient.
struct PhaseAxis {
  int64_t count;         ///< phases
  int64_t period;        ///< taps of one phase are this far apart
  int64_t pixels, taps;  ///< the most that one phase has

  constexpr PhaseAxis(int64_t size, int64_t kernel, int64_t stride, int64_t dilation)
      : count(std::min(stride, size)),
        period(stride / std::gcd(stride, dilation)),
        pixels((size + stride - 1) / stride),
        taps((kernel + period - 1) / period) {}
};

/// All blocks: for each group and phase tiles of rows and columns, and slices of the depth. The
/// slices of a result are added up in a second step.
struct ConvCut {
  int64_t products;  ///< groups times phases
  int64_t row_tiles, column_tiles;
  int64_t slices;

  constexpr int64_t blocks() const { return products * row_tiles * column_tiles * slices; }
};

/// Few tiles are cut into slices, deep enough to be worth adding up, until the device is busy.
constexpr int64_t conv_slices(int64_t tiles, int64_t depth) {
  constexpr int64_t kBusyBlocks = 512, kLeastDepth = 256;
  if (tiles == 0) return 1;
  return std::max<int64_t>(1, std::min(kBusyBlocks / tiles, depth / kLeastDepth));
}

constexpr ConvCut conv_cut(int64_t products, int64_t rows, int64_t columns, int64_t depth) {
  const auto tiles = [](int64_t n) { return (n + kConvTile - 1) / kConvTile; };
  const ConvCut one{products, tiles(rows), tiles(columns), 1};
  return {products, one.row_tiles, one.column_tiles, conv_slices(one.blocks(), depth)};
}

constexpr ConvCut conv_cut(ConvPass pass, const ConvShape& s) {
  const int64_t in = s.in_channels / s.groups, out = s.out_channels / s.groups;
  const int64_t pixels = s.batch * s.out_h() * s.out_w(), taps = in * s.kernel_h * s.kernel_w;
  if (pass == ConvPass::forward) return conv_cut(s.groups, out, pixels, taps);
  if (pass == ConvPass::weight_grad) return conv_cut(s.groups, out, taps, pixels);
  const PhaseAxis rows(s.height, s.kernel_h, s.stride_h, s.dilation_h);
  const PhaseAxis columns(s.width, s.kernel_w, s.stride_w, s.dilation_w);
  return conv_cut(s.groups * rows.count * columns.count, in, s.batch * rows.pixels * columns.pixels,
                  out * rows.taps * columns.taps);
}

/// Elements of the result of a pass.
constexpr int64_t conv_results(ConvPass pass, const ConvShape& s) {
  if (pass == ConvPass::forward) return s.batch * s.out_channels * s.out_h() * s.out_w();
  if (pass == ConvPass::input_grad) return s.batch * s.in_channels * s.height * s.width;
  return s.out_channels * (s.in_channels / s.groups) * s.kernel_h * s.kernel_w;
}

/// Bytes of the slices before they are added up.
constexpr size_t conv_slice_bytes(ConvPass pass, const ConvShape& s, DType dtype) {
  const int64_t slices = conv_cut(pass, s).slices;
  const size_t bytes = dtype == float64 ? sizeof(double) : sizeof(float);
  return slices == 1 ? 0 : static_cast<size_t>(slices * conv_results(pass, s)) * bytes;
}

}  // namespace reprise::cuda
