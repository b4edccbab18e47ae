#pragma once
// What the convolutions compiled for each instruction set offer to ../conv_direct.cpp.

#include <cstdint>

namespace reprise::cpu {

/// Rows to copy into rows with zeros at both ends. When the column step is s > 1, a row of the copy
/// holds the columns 0, s, 2s, ... first, then 1, s + 1, ..., so that every tap meets neighbours.
template <class T>
struct PadRows {
  const T* from;
  int64_t width;
  T* to;
  int64_t pad;                  // zeros in front
  int64_t phases, phase_width;  // s, and the columns of each: the new width is their product
};

/// Output rows [row_begin, row_end) of one image for one panel of output channels: pixel (i, j) of
/// channel o is the sum over the taps k of image[i * row_step + j + offset[k]] * weight[k *
/// tile_columns + o]. The taps come kernel row by kernel row, and kernel rows that fall outside of
/// the image are left out.
template <class T>
struct ConvRows {
  const T* image;
  int64_t row_step;
  const int64_t* offset;
  const T* weight;
  int64_t kernel_rows, taps_per_row;
  int64_t height, stride, pad,
      dilation;  // kernel row r of output row i meets row i * stride - pad + r * dilation
  int64_t row_begin, row_end, width;
  int64_t channels;  // at most tile_columns
  T* y;              // (o, i, j) at y[o * y_channel + i * width + j]
  int64_t y_channel;
  const T* bias;           // one for each channel, or null
  const T *scale, *shift;  // one for each channel: y = y * scale + shift, rounded twice; or null
  const T* residual;       // added to y, laid out like it, or null
  bool relu;               // what is negative then becomes 0
  const T* mask;  // y is 0 where this, laid out like it, is not positive; null; may be y: each
                  // element is read just before its place is written
  T* scratch;     // (max(width, kConvPixels) + width of a vector) * tile_columns elements, 64-byte
                  // aligned
};

/// One panel of gradients of the output against one panel of input channels, for several taps:
/// c[t * c_tap + o * c_row + j] (+)= sum over p < depth of gy[p * rows + o] * x[tap[t] + offset[p]
/// + j].
template <class T>
struct ConvWeightGrad {
  const T* gy;
  int64_t rows;  // at most tile_rows
  const T* x;
  const int64_t* offset;
  int64_t depth;
  const int64_t* tap;
  int64_t taps;
  int64_t columns;  // at most tile_columns
  T* c;
  int64_t c_row, c_tap;
  bool accumulate;
};

template <class T>
struct ConvKernels {
  int64_t tile_rows, tile_columns, width;
  /// to[k * pitch + lane] = from[lane * lane_stride + k], zeros from `lanes` to the pitch.
  void (*pack)(T* to, int64_t pitch, const T* from, int64_t lane_stride, int64_t lanes,
               int64_t depth);
  void (*pad)(const PadRows<T>& rows, int64_t count);
  void (*rows)(const ConvRows<T>&);
  void (*weight_grad)(const ConvWeightGrad<T>&);
};

/// Pixels that `rows` gathers before it turns them from channels-last to planes.
inline constexpr int64_t kConvPixels = 128;

struct ConvTable {
  ConvKernels<float> f32;
  ConvKernels<double> f64;
};

namespace sse2 {
extern const ConvTable conv_table;
}
namespace avx2 {
extern const ConvTable conv_table;
}
namespace avx512 {
extern const ConvTable conv_table;
}

}  // namespace reprise::cpu
