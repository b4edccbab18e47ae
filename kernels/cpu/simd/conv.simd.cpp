// Direct convolutions, see conv.h. The vectors run over output channels (packed weights), the
// pixels are broadcast: every tap of a row of pixels is the same row of memory shifted, so nothing
// is gathered, and rows of any length fill the tiles. The tiles leave channels-last pixels in
// scratch, which are turned into planes while they are in L1.

#include "conv.h"

#include "tile.h"

namespace reprise::cpu::REPRISE_ISA {

template <class T>
void pack_strip(T* to, int64_t pitch, const T* from, int64_t lane_stride, int64_t lanes,
                int64_t depth) {
  pack<T>(to, pitch, {from, lane_stride, 1, lanes, depth});
}

// Stores may spill over the end of a row: the next row overwrites that, and the end of all is kept.
template <class T>
REPRISE_INLINE void pad_row(T* to, const T* end, const PadRows<T>& p, const T* from) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t j = 0; j < p.phase_width; j += W) {
    __builtin_prefetch(from + 16 * p.width +
                       j);  // the hardware does not look ahead for masked loads
    const int64_t before = p.pad - j, until = before + p.width;
    const int64_t first = before < 0   ? 0
                          : before < W ? before
                                       : W,
                  last = until < 0   ? 0
                         : until < W ? until
                                     : W;
    store_within(to + j, load_between(from - before, first, last), end);
  }
}

template <class T>
void split_row(T* to, const PadRows<T>& p, const T* from) {
  for (int64_t phase = 0; phase < p.phases; ++phase) {
    for (int64_t j = 0; j < p.phase_width; ++j) {
      const int64_t column = j * p.phases + phase - p.pad;
      *to++ = column >= 0 && column < p.width ? from[column] : T(0);
    }
  }
}

template <class T>
void pad_rows(const PadRows<T>& p, int64_t count) {
  const int64_t row = p.phases * p.phase_width;
  const T* end = p.to + count * row;
  for (int64_t i = 0; i < count; ++i) {
    if (p.phases == 1) {
      pad_row(p.to + i * row, end, p, p.from + i * p.width);
    } else {
      split_row(p.to + i * row, p, p.from + i * p.width);
    }
  }
}

/// What is left to do to the vector of channel `o` that belongs at y[at].
template <class T>
REPRISE_INLINE Vec<T> finish(const ConvRows<T>& c, Vec<T> v, int64_t o, int64_t at, int64_t n) {
  if (c.bias) v += broadcast(c.bias[o]);
  if (c.scale) v = v * broadcast(c.scale[o]) + broadcast(c.shift[o]);
  if (c.residual) v += load_n(c.residual + at, n);
  if (c.mask) v = select<Vec<T>>(load_n(c.mask + at, n) > Vec<T>{}, v, Vec<T>{});
  return c.relu ? select<Vec<T>>(v < Vec<T>{}, Vec<T>{}, v) : v;
}

// Scratch holds `pixels` rows of channels; y gets a row of pixels for each channel, from pixel
// `first` on.
template <class T>
void store_planes(const ConvRows<T>& c, int64_t first, int64_t pixels) {
  constexpr int64_t W = kWidth<T>;
  for (int64_t o = 0; o < c.channels; o += W) {
    for (int64_t p = 0; p < pixels; p += W) {
      Vec<T> rows[W];
#pragma GCC unroll 16
      for (int64_t i = 0; i < W; ++i) rows[i] = load(c.scratch + (p + i) * kTileColumns<T> + o);
      transpose<T>(rows);
#pragma GCC unroll 16
      for (int64_t i = 0; i < W; ++i) {
        if (o + i >= c.channels) break;
        const int64_t at = (o + i) * c.y_channel + first + p;
        store_n(c.y + at, finish(c, rows[i], o + i, at, pixels - p), pixels - p);
      }
    }
  }
}

/// Fetches what `finish` will read for the pixels around `at`: it lies in as many planes as there
/// are channels, which is too many for the hardware to follow, and a few at a time hide behind the
/// sums.
template <class T>
REPRISE_INLINE void fetch_planes(const ConvRows<T>& c, const T* planes, int64_t at) {
  if (!planes) return;
  for (int64_t o = 0; o < c.channels; ++o) __builtin_prefetch(planes + o * c.y_channel + at);
}

template <class T>
void conv_row(const ConvRows<T>& c, int64_t i, T* to) {
  const int64_t top = i * c.stride - c.pad;  // row of the image that kernel row 0 meets
  int64_t first = 0, last = c.kernel_rows;
  while (first < last && top + first * c.dilation < 0) ++first;
  while (last > first && top + (last - 1) * c.dilation >= c.height) --last;
  const int64_t skipped = first * c.taps_per_row;
  const RowParts parts(c.width);
  Tile<T> tile{};
  tile.depth = (last - first) * c.taps_per_row;
  tile.b = c.weight + skipped * kTileColumns<T>;
  tile.b_step = tile.c_row = kTileColumns<T>;
  tile.offset = c.offset + skipped;
  tile.columns = c.channels > kWidth<T> ? kTileColumns<T> : kWidth<T>;
  for (int64_t p = 0; p < parts.count; ++p) {
    tile.a = c.image + i * c.row_step + parts.begin(p);
    tile.c = to + parts.begin(p) * kTileColumns<T>;
    fetch_planes(c, c.residual, i * c.width + parts.begin(p));
    fetch_planes(c, c.mask, i * c.width + parts.begin(p));
    run_tile<T, TileForm::shifted_a>(parts.size(p), tile);
  }
}

template <class T>
void conv_rows(const ConvRows<T>& c) {
  const int64_t step = c.width < kConvPixels ? kConvPixels / c.width : 1;
  for (int64_t i = c.row_begin; i < c.row_end; i += step) {
    const int64_t rows = c.row_end - i < step ? c.row_end - i : step;
    for (int64_t r = 0; r < rows; ++r) {
      conv_row(c, i + r, c.scratch + r * c.width * kTileColumns<T>);
    }
    store_planes(c, i * c.width, rows * c.width);
  }
}

template <class T>
void weight_grad(const ConvWeightGrad<T>& g) {
  Tile<T> tile{};
  tile.depth = g.depth;
  tile.a = g.gy;
  tile.a_step = g.rows;
  tile.offset = g.offset;
  tile.c_row = g.c_row;
  tile.columns = g.columns;
  tile.accumulate = g.accumulate;
  for (int64_t t = 0; t < g.taps; ++t) {
    tile.b = g.x + g.tap[t];
    tile.c = g.c + t * g.c_tap;
    run_tile<T, TileForm::shifted_b>(g.rows, tile);
  }
}

template <class T>
constexpr ConvKernels<T> kernels() {
  return {kTileRows,   kTileColumns<T>, kWidth<T>,     pack_strip<T>,
          pad_rows<T>, conv_rows<T>,    weight_grad<T>};
}

extern const ConvTable conv_table;
const ConvTable conv_table{kernels<float>(), kernels<double>()};

}  // namespace reprise::cpu::REPRISE_ISA
