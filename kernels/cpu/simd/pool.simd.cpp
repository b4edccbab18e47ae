// Pooling: results that lie side by side in a row make up a vector, which takes in one tap of their
// windows after another, in row-major order, so that the first of equal values wins. A tap of all
// of them is one load with a step. Loads may reach into neighbouring rows: lanes whose column lies
// outside of the image are masked when there are any, and only what leaves the tensor is read one
// by one.

#include "pool.h"

#include "column_maxima.h"
#include "extremes.h"
#include "stride_load.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

/// Places in an image, as wide as T.
template <class T>
using Places = Mask<Vec<T>>;

template <class V>
REPRISE_INLINE V at_most(const V& a, const V& b) {
  return a < b ? a : b;
}
template <class V>
REPRISE_INLINE V at_least(const V& a, const V& b) {
  return a > b ? a : b;
}

/// The taps of one row of windows that lie in the image: those rows from begin to below end.
struct Taps {
  int64_t begin, end;

  REPRISE_INLINE Taps(const PoolAxis& axis, int64_t out) {
    const int64_t start = out * axis.stride - axis.padding;
    begin =
        start >= 0 ? start : start + (axis.dilation - 1 - start) / axis.dilation * axis.dilation;
    end = at_most(start + (axis.kernel - 1) * axis.dilation + 1, axis.in);
  }
};

/// One vector of results and where its windows stand.
template <class T>
struct Results {
  const PoolImages<T>& images;
  int64_t image, row, column;  // of the first result
  Taps taps;
  Places<T> starts;  // columns of the first taps

  REPRISE_INLINE Results(const PoolImages<T>& all, int64_t i, int64_t r, int64_t c)
      : images(all), image(i), row(r), column(c), taps(all.window.rows, r) {
    using Place = Element<Places<T>>;
    const PoolAxis& across = all.window.columns;
    starts = iota<Place>() * static_cast<Place>(across.stride) +
             static_cast<Place>(c * across.stride - across.padding);
  }

  /// Place of the first result in y.
  REPRISE_INLINE int64_t at() const {
    const PoolWindow& w = images.window;
    return (image * w.rows.out + row) * w.columns.out + column;
  }
};

/// x[at + i * step] for each lane i, `outside` where that leaves the tensor.
template <class T>
REPRISE_INLINE Vec<T> load_within(const T* x, int64_t size, int64_t at, int64_t step, T outside) {
  T lanes[kWidth<T>];
  for (int64_t i = 0; i < kWidth<T>; ++i) {
    const int64_t from = at + i * step;
    lanes[i] = from >= 0 && from < size ? x[from] : outside;
  }
  return load(lanes);
}

/// Calls f(v, columns) for the taps of all windows in image row h: values, `outside` in lanes that
/// have none, and the columns where they stand.
template <int Step, bool Masked, class T, class F>
REPRISE_INLINE void each_tap(const Results<T>& r, int64_t h, T outside, F f) {
  using Place = Element<Places<T>>;
  const PoolAxis& across = r.images.window.columns;
  const int64_t size = r.images.count * r.images.window.rows.in * across.in;
  const int64_t first = (r.image * r.images.window.rows.in + h) * across.in +
                        r.column * across.stride - across.padding;
  const int64_t reach = (across.kernel - 1) * across.dilation;
  const bool within = first >= 0 && first + reach + kWidth<T> * across.stride <= size;
  for (int64_t at = 0; at <= reach; at += across.dilation) {
    const Places<T> columns = r.starts + static_cast<Place>(at);
    Vec<T> v;
    if (within) [[likely]]
      v = load_every<Step>(r.images.x + first + at, across.stride);
    else
      v = load_within(r.images.x, size, first + at, across.stride, outside);
    if constexpr (Masked) {
      const Places<T> inside = (columns >= 0) & (columns < static_cast<Place>(across.in));
      v = select<Vec<T>>(inside, v, broadcast(outside));
    }
    f(v, columns);
  }
}

/// The places of the first taps that lie in the image.
template <class T>
REPRISE_INLINE Places<T> first_places(const Results<T>& r) {
  using Place = Element<Places<T>>;
  const PoolAxis &down = r.images.window.rows, &across = r.images.window.columns;
  Places<T> columns = r.starts;
  for (int64_t left = across.padding; left > 0; left -= across.dilation) {
    columns = columns < 0 ? columns + static_cast<Place>(across.dilation) : columns;
  }
  const Places<T> last = Places<T>{} + static_cast<Place>(across.in - 1);
  const int64_t row = at_most(r.taps.begin, down.in - 1) * across.in;
  return at_most(columns, last) + static_cast<Place>(row);
}

/// Stores the first n places as int64.
template <class T>
REPRISE_INLINE void store_places(int64_t* index, const Places<T>& places, int64_t n) {
  if constexpr (sizeof(T) == 8) {
    store_n(index, places, n);
  } else {
    constexpr int half = kWidth<T> / 2;
    Vec<int32_t, half> halves[2];
    __builtin_memcpy(halves, &places, sizeof(places));
    store_n(index, convert<int64_t>(halves[0]), n);
    if (n > half) store_n(index + half, convert<int64_t>(halves[1]), n - half);
  }
}

/// Places in the image as places in the windows. Rows are found by comparing, as a window has few.
template <class T>
REPRISE_INLINE Places<T> places_in_window(const Results<T>& r, const Places<T>& places) {
  using Place = Element<Places<T>>;
  const PoolAxis &down = r.images.window.rows, &across = r.images.window.columns;
  const int64_t top = r.row * down.stride - down.padding, step = across.kernel - across.in;
  const int64_t first = (r.taps.begin - top) * step - top * across.in;
  Places<T> out = places - r.starts + static_cast<Place>(first);
  for (int64_t h = r.taps.begin + 1; h < r.taps.end; ++h) {
    out += (places >= static_cast<Place>(h * across.in)) & (Places<T>{} + static_cast<Place>(step));
  }
  return out;
}

/// Stores the first n places, below 256, as bytes: all, or parts of 8, 4, 2 and 1.
template <class T>
REPRISE_INLINE void store_bytes(uint8_t* to, const Places<T>& places, int64_t n) {
  const auto bytes = convert<uint8_t>(places);
  uint8_t lanes[kWidth<T>];
  __builtin_memcpy(lanes, &bytes, sizeof(lanes));
  if (n >= kWidth<T>) return static_cast<void>(__builtin_memcpy(to, lanes, sizeof(lanes)));
  int64_t done = 0;
#pragma GCC unroll 4
  for (int64_t part = kWidth<T> / 2; part > 0; part /= 2) {
    if ((n & part) == 0) continue;
    __builtin_memcpy(to + done, lanes + done, static_cast<size_t>(part));
    done += part;
  }
}

template <class T>
REPRISE_INLINE void store_maxima(const Results<T>& r, const Vec<T>& maxima,
                                 const Places<T>& places) {
  const int64_t n = r.images.window.columns.out - r.column;
  store_n(r.images.y + r.at(), maxima, n);
  if (r.images.index) return store_places<T>(r.images.index + r.at(), places, n);
  store_bytes<T>(r.images.place + r.at(), places_in_window(r, places), n);
}

/// Stores the maxima and their places. Unless NaN is Expected, its presence is only noticed, and
/// false returned: what keeps the first NaN takes far longer from one tap to the next.
template <int Step, bool Masked, bool Expected, class T>
REPRISE_INLINE bool try_max(const Results<T>& r) {
  using Place = Element<Places<T>>;
  const PoolAxis &down = r.images.window.rows, &across = r.images.window.columns;
  constexpr T lowest = sizeof(T) == 4 ? -__builtin_inff() : -__builtin_inf();
  Vec<T> best = broadcast(lowest);
  Places<T> places = first_places(r), nan{};
  for (int64_t h = r.taps.begin; h < r.taps.end; h += down.dilation) {
    const auto row = static_cast<Place>(h * across.in);
    each_tap<Step, Masked>(r, h, lowest, [&](const Vec<T>& next, const Places<T>& columns) {
      Places<T> better = next > best;
      if constexpr (Expected) better |= (next != next) & (best == best);
      best = Expected ? select<Vec<T>>(better, next, best) : larger(next, best);
      places = select<Places<T>>(better, columns + row, places);
      nan |= next != next;
    });
  }
  if (!Expected && any(nan)) return false;
  store_maxima(r, best, places);
  return true;
}

template <int Step, bool Masked, class T>
[[gnu::noinline, gnu::cold]] void max_with_nan(const Results<T>& r) {
  try_max<Step, Masked, true>(r);
}

/// The same for windows that do not overlap, in the image with their columns; false also where
/// whole vectors reach beyond the last image.
template <int Step, class T>
REPRISE_INLINE bool try_max_of_columns(const Results<T>& r) {
  using Place = Element<Places<T>>;
  const PoolAxis &down = r.images.window.rows, &across = r.images.window.columns;
  const int64_t image = r.image * down.in * across.in, left = r.column * Step;
  const int64_t end = image + (r.taps.end - 1) * across.in + left + Step * kWidth<T>;
  if (end > r.images.count * down.in * across.in) return false;
  ColumnMaxima<Step, T> maxima(static_cast<Place>(r.taps.begin * across.in + left));
  for (int64_t h = r.taps.begin; h < r.taps.end; h += down.dilation) {
    const int64_t place = h * across.in + left;
    maxima.take(r.images.x + image + place, static_cast<Place>(place));
  }
  if (any(maxima.nan)) return false;
  Vec<T> most = every<Step, 0>(maxima.best);
  Places<T> at = every<Step, 0>(maxima.places);
  if (across.kernel > 1) maxima.template merge<1>(most, at);
  if constexpr (Step > 2) {
    if (across.kernel > 2) maxima.template merge<2>(most, at);
  }
  store_maxima(r, most, at);
  return true;
}

template <int Step, bool Masked, class T>
REPRISE_INLINE void max_of(const Results<T>& r) {
  if constexpr (!Masked && (Step == 2 || Step == 3)) {
    const PoolAxis& across = r.images.window.columns;
    if (across.kernel <= Step && across.dilation == 1 && try_max_of_columns<Step>(r)) return;
  }
  if (!try_max<Step, Masked, false>(r)) max_with_nan<Step, Masked>(r);
}

/// What the sums over the windows are divided by.
template <class T>
REPRISE_INLINE Vec<T> divisors(const Results<T>& r) {
  using Place = Element<Places<T>>;
  const PoolWindow& window = r.images.window;
  if (window.divisor != 0) return broadcast(static_cast<T>(window.divisor));
  const PoolAxis &down = window.rows, &across = window.columns;
  const int64_t top = r.row * down.stride - down.padding;
  const int64_t bottom = at_most(top + down.kernel, down.in + down.padding);
  const Places<T> zero{}, in = zero + static_cast<Place>(across.in);
  const Places<T> right = at_most(r.starts + static_cast<Place>(across.kernel),
                                  in + static_cast<Place>(across.padding));
  if (window.count_padding) return convert<T>(right - r.starts) * static_cast<T>(bottom - top);
  const Places<T> width = at_most(right, in) - at_least(r.starts, zero);
  return convert<T>(width) * static_cast<T>(r.taps.end - r.taps.begin);
}

template <int Step, bool Masked, class T>
REPRISE_INLINE void average_of(const Results<T>& r) {
  Vec<T> total{};
  for (int64_t h = r.taps.begin; h < r.taps.end; ++h) {
    Vec<T> sum{};
    each_tap<Step, Masked>(r, h, T(0), [&](const Vec<T>& v, const Places<T>&) { sum += v; });
    total += sum;
  }
  store_n(r.images.y + r.at(), total / divisors(r), r.images.window.columns.out - r.column);
}

template <bool Max, int Step, bool Masked, class T>
void pool_images(const PoolImages<T>& images, int64_t begin, int64_t end) {
  for (int64_t image = begin; image < end; ++image) {
    for (int64_t row = 0; row < images.window.rows.out; ++row) {
      for (int64_t column = 0; column < images.window.columns.out; column += kWidth<T>) {
        const Results<T> results(images, image, row, column);
        if constexpr (Max) {
          max_of<Step, Masked>(results);
        } else {
          average_of<Step, Masked>(results);
        }
      }
    }
  }
}

template <bool Max, bool Masked, class T>
void pool_by_step(const PoolImages<T>& images, int64_t begin, int64_t end) {
  switch (images.window.columns.stride) {
    case 1: return pool_images<Max, 1, Masked>(images, begin, end);
    case 2: return pool_images<Max, 2, Masked>(images, begin, end);
    case 3: return pool_images<Max, 3, Masked>(images, begin, end);
    default: return pool_images<Max, 0, Masked>(images, begin, end);
  }
}

template <bool Max, class T>
void pool(const PoolImages<T>& images, int64_t begin, int64_t end) {
  const PoolAxis& across = images.window.columns;
  const int64_t last = (across.out - 1) * across.stride + (across.kernel - 1) * across.dilation;
  if (across.padding == 0 && last < across.in) {
    pool_by_step<Max, false>(images, begin, end);
  } else {
    pool_by_step<Max, true>(images, begin, end);
  }
}

extern const PoolTable pool_table;
const PoolTable pool_table{{pool<true, float>, pool<false, float>},
                           {pool<true, double>, pool<false, double>}};

}  // namespace reprise::cpu::REPRISE_ISA
