// Pooling of rows: the results of one output row lie in vectors side by side and take in one tap of
// the window after another, in row-major order, so that the first of equal values wins. A tap of
// every result is one load with a step. Image rows that need padding, or at whose end a vector
// would read too far, are first copied into scratch with the padding around them.

#include "pool.h"

#include "stride_load.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

REPRISE_INLINE int64_t at_most(int64_t a, int64_t b) { return a < b ? a : b; }
REPRISE_INLINE int64_t at_least(int64_t a, int64_t b) { return a > b ? a : b; }

/// The first tap of window `out` that is not before the image.
REPRISE_INLINE int64_t first_tap(const PoolAxis& axis, int64_t out) {
  const int64_t start = out * axis.stride - axis.padding;
  return start >= 0 ? 0 : (axis.dilation - 1 - start) / axis.dilation;
}
REPRISE_INLINE int64_t place_of_tap(const PoolAxis& axis, int64_t out, int64_t tap) {
  return out * axis.stride - axis.padding + tap * axis.dilation;
}

/// How many elements, or padded ones, window `out` covers.
REPRISE_INLINE int64_t covered(const PoolAxis& axis, int64_t out, bool count_padding) {
  const int64_t begin = out * axis.stride - axis.padding;
  const int64_t end = at_most(begin + axis.kernel, axis.in + axis.padding);
  return count_padding ? end - begin : at_most(end, axis.in) - at_least(begin, 0);
}

/// Rows in scratch, each as long as whole vectors of results need.
template <class T>
struct PoolRows {
  using Place = Element<Mask<Vec<T>>>;
  int64_t results, length;  // rounded up to whole vectors; elements that their taps reach
  bool direct;              // no tap leaves the image
  T *padded, *value;
  Place *place, *first;

  PoolRows(const PoolAxis& axis, void* scratch)
      : results((axis.out + kWidth<T> - 1) / kWidth<T> * kWidth<T>),
        length(results * axis.stride + (axis.kernel - 1) * axis.dilation),
        direct(axis.padding == 0 && place_of_tap(axis, axis.out - 1, axis.kernel - 1) < axis.in),
        padded(static_cast<T*>(scratch)),
        value(padded + length),
        place(reinterpret_cast<Place*>(value + results)),
        first(place + results) {}

  /// A row of the image with `fill` around it.
  REPRISE_INLINE const T* row(const PoolAxis& axis, const T* x, const T* x_end, T fill) const {
    if (direct && x_end - x >= length) return x;
    const int64_t n = at_most(axis.in, length - axis.padding);
    for (int64_t i = 0; i < axis.padding; ++i) padded[i] = fill;
    for (int64_t i = 0; i < n; i += kWidth<T>) {
      store_n(padded + axis.padding + i, load_n(x + i, n - i), n - i);
    }
    for (int64_t i = axis.padding + n; i < length; ++i) padded[i] = fill;
    return padded;
  }
};

/// Lets the results take in the taps of one image row, which stands at `offset` in its image.
template <int Step, class T>
REPRISE_INLINE void max_of_taps(const PoolAxis& axis, const PoolRows<T>& rows, const T* row,
                                int64_t offset) {
  using Place = typename PoolRows<T>::Place;
  using Places = Mask<Vec<T>>;
  const Places lanes = iota<Place>() * static_cast<Place>(axis.stride);
  for (int64_t j = 0; j < rows.results; j += kWidth<T>) {
    Vec<T> best = load(rows.value + j);
    Places places = load(rows.place + j);
    for (int64_t k = 0; k < axis.kernel; ++k) {
      const int64_t column = j * axis.stride + k * axis.dilation;
      const Vec<T> next = load_every<Step>(row + column, axis.stride);
      const Places better = (next > best) | ((next != next) & (best == best));
      best = select<Vec<T>>(better, next, best);
      places = select<Places>(better, lanes + static_cast<Place>(offset + column - axis.padding),
                              places);
    }
    store(rows.value + j, best);
    store(rows.place + j, places);
  }
}

template <int Step, class T>
void max_of_image(const PoolWindow& window, const PoolRows<T>& rows, const T* x, const T* x_end,
                  T* y, int64_t* index) {
  using Place = typename PoolRows<T>::Place;
  const PoolAxis &down = window.rows, &across = window.columns;
  constexpr T lowest = sizeof(T) == 4 ? -__builtin_inff() : -__builtin_inf();
  for (int64_t i = 0; i < down.out; ++i) {
    int64_t tap = first_tap(down, i);
    const int64_t first = at_most(place_of_tap(down, i, tap), down.in - 1) * across.in;
    for (int64_t j = 0; j < rows.results; j += kWidth<T>) {
      store(rows.value + j, broadcast<T>(lowest));
      store(rows.place + j, load(rows.first + j) + static_cast<Place>(first));
    }
    for (; tap < down.kernel && place_of_tap(down, i, tap) < down.in; ++tap) {
      const int64_t offset = place_of_tap(down, i, tap) * across.in;
      max_of_taps<Step>(across, rows, rows.row(across, x + offset, x_end, lowest), offset);
    }
    for (int64_t j = 0; j < across.out; j += kWidth<T>) {
      store_n(y + j, load(rows.value + j), across.out - j);
    }
    for (int64_t j = 0; j < across.out; ++j) index[j] = rows.place[j];
    y += across.out;
    index += across.out;
  }
}

template <int Step, class T>
void max_of_images(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
                   int64_t* index, void* scratch) {
  const PoolAxis& across = window.columns;
  const PoolRows<T> rows(across, scratch);
  for (int64_t j = 0; j < rows.results; ++j) {
    const int64_t place = place_of_tap(across, j, first_tap(across, j));
    rows.first[j] = static_cast<typename PoolRows<T>::Place>(at_most(place, across.in - 1));
  }
  const int64_t results = window.rows.out * across.out;
  for (int64_t image = 0; image < images; ++image) {
    max_of_image<Step>(window, rows, x, x_end, y, index);
    x += window.rows.in * across.in;
    y += results;
    index += results;
  }
}

template <class T>
void max_pool(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
              int64_t* index, void* scratch) {
  const int64_t step = window.columns.stride;
  const auto pool = step == 1   ? max_of_images<1, T>
                    : step == 2 ? max_of_images<2, T>
                    : step == 3 ? max_of_images<3, T>
                                : max_of_images<0, T>;
  pool(window, x, x_end, images, y, index, scratch);
}

/// value[j] += the taps of one image row.
template <int Step, class T>
REPRISE_INLINE void add_taps(const PoolAxis& axis, const PoolRows<T>& rows, const T* row) {
  for (int64_t j = 0; j < rows.results; j += kWidth<T>) {
    Vec<T> sum{};
    for (int64_t k = 0; k < axis.kernel; ++k) {
      sum += load_every<Step>(row + j * axis.stride + k * axis.dilation, axis.stride);
    }
    store(rows.value + j, load(rows.value + j) + sum);
  }
}

template <int Step, class T>
void average_of_image(const PoolWindow& window, const PoolRows<T>& rows, const T* x, const T* x_end,
                      T* y, const T* widths) {
  const PoolAxis &down = window.rows, &across = window.columns;
  for (int64_t i = 0; i < down.out; ++i, y += across.out) {
    for (int64_t j = 0; j < rows.results; ++j) rows.value[j] = 0;
    int64_t tap = first_tap(down, i);
    for (; tap < down.kernel && place_of_tap(down, i, tap) < down.in; ++tap) {
      const T* row = x + place_of_tap(down, i, tap) * across.in;
      add_taps<Step>(across, rows, rows.row(across, row, x_end, T(0)));
    }
    const T height = static_cast<T>(window.divisor ? 1 : covered(down, i, window.count_padding));
    for (int64_t j = 0; j < across.out; j += kWidth<T>) {
      const Vec<T> mean = load(rows.value + j) / (load(widths + j) * height);
      store_n(y + j, mean, across.out - j);
    }
  }
}

template <int Step, class T>
void average_of_images(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
                       void* scratch) {
  const PoolAxis& across = window.columns;
  const PoolRows<T> rows(across, scratch);
  T* widths = reinterpret_cast<T*>(rows.place);
  for (int64_t j = 0; j < rows.results; ++j) {
    const int64_t width = j < across.out ? covered(across, j, window.count_padding) : 1;
    widths[j] = static_cast<T>(window.divisor ? window.divisor : width);
  }
  for (int64_t image = 0; image < images; ++image) {
    average_of_image<Step>(window, rows, x, x_end, y, widths);
    x += window.rows.in * across.in;
    y += window.rows.out * across.out;
  }
}

template <class T>
void average_pool(const PoolWindow& window, const T* x, const T* x_end, int64_t images, T* y,
                  void* scratch) {
  const int64_t step = window.columns.stride;
  const auto pool = step == 1   ? average_of_images<1, T>
                    : step == 2 ? average_of_images<2, T>
                    : step == 3 ? average_of_images<3, T>
                                : average_of_images<0, T>;
  pool(window, x, x_end, images, y, scratch);
}

extern const PoolTable pool_table;
const PoolTable pool_table{{max_pool<float>, average_pool<float>},
                           {max_pool<double>, average_pool<double>}};

}  // namespace reprise::cpu::REPRISE_ISA
