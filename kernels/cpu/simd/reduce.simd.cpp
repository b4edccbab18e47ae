// Sums, sums of rows, and the place of the largest element. A search for the place looks at blocks:
// the largest value of a block is found by vectors, its place only when it beats all blocks before,
// which is rare.

#include "reduce.h"

#include "extremes.h"
#include "sum.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

template <class T>
SumType<T> sum_of(const T* x, int64_t n, int64_t step) {
  using S = SumType<T>;
  if (step == 1) {
    return sum_terms<S>(
        n, [](const Vec<S>& v) { return v; }, x);
  }
  Lanes<S> acc;
  for (int64_t i = 0; i < n; i += kSumLanes) {
    const Block<T> block(x + i * step, n - i < kSumLanes ? n - i : kSumLanes, step);
    for (int j = 0; j < acc.kVectors; ++j) acc.v[j] += load_as<S>(block.x + j * kWidth<S>);
  }
  return acc.total();
}

/// acc[j] += rows of x at column j, Rows of them at once to load and store acc less often.
template <int Rows, class T>
REPRISE_INLINE void add_row_group(SumType<T>* acc, const T* x, int64_t row, int64_t columns) {
  using S = SumType<T>;
  int64_t j = 0;
  for (; j + kWidth<S> <= columns; j += kWidth<S>) {
    Vec<S> v = load(acc + j);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) v += load_as<S>(x + i * row + j);
    store(acc + j, v);
  }
  for (; j < columns; ++j) {
    for (int i = 0; i < Rows; ++i) acc[j] += static_cast<S>(x[i * row + j]);
  }
}

template <class T>
void add_rows(SumType<T>* acc, const T* x, int64_t rows, int64_t row, int64_t columns) {
  int64_t i = 0;
  for (; i + 4 <= rows; i += 4) add_row_group<4>(acc, x + i * row, row, columns);
  for (; i < rows; ++i) add_row_group<1>(acc, x + i * row, row, columns);
}

/// Where a beats b: it is larger (smaller), or the first NaN. V is a vector or a number.
template <bool Largest, class V>
REPRISE_INLINE auto beats(const V& a, const V& b) {
  return (Largest ? a > b : a < b) | ((a != a) & (b == b));
}

/// Some NaN, where T has one.
template <class T>
inline constexpr T kNan = static_cast<T>(0);
template <>
inline constexpr float kNan<float> = __builtin_nanf("");
template <>
inline constexpr double kNan<double> = __builtin_nan("");

/// The largest (smallest) of x, NaN if there is one; n is at least kWidth<T>.
template <bool Largest, class T>
REPRISE_INLINE T best_of_vectors(const T* x, int64_t n) {
  constexpr int64_t kStep = kWidth<T>;
  Vec<T> best[4] = {load(x), load(x), load(x), load(x)};
  Mask<Vec<T>> nan{};
  const auto take = [&](int k, const Vec<T>& next) {
    best[k] = better<Largest>(next, best[k]);
    nan |= next != next;
  };
  int64_t i = 0;
  for (; i + 4 * kStep <= n; i += 4 * kStep) {
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) take(k, load(x + i + k * kStep));
  }
  for (; i + kStep <= n; i += kStep) take(0, load(x + i));
  take(0, load(x + n - kStep));
  if (any(nan)) return kNan<T>;
  const Vec<T> left = better<Largest>(best[0], best[1]), right = better<Largest>(best[2], best[3]);
  return best_lane<Largest>(better<Largest>(left, right));
}

template <bool Largest, class T>
REPRISE_INLINE T best_value(const T* x, int64_t n) {
  if (n >= kWidth<T>) return best_of_vectors<Largest>(x, n);
  T best = x[0];
  for (int64_t i = 1; i < n; ++i) best = beats<Largest>(x[i], best) ? x[i] : best;
  return best;
}

/// The first index of what best_value found: if that is no NaN, there is none.
template <class T>
REPRISE_INLINE int64_t place_of(T value, const T* x, int64_t n) {
  int64_t i = 0;
  for (; i + kWidth<T> <= n; i += kWidth<T>) {
    const Vec<T> v = load(x + i);
    if (any((v == broadcast(value)) | (v != v))) break;
  }
  while (x[i] != value && x[i] == x[i]) ++i;
  return i;
}

template <bool Largest, class T>
int64_t best_place(const T* x, int64_t n, int64_t step) {
  constexpr int64_t kBlock = 512;
  T gathered[kBlock];
  T best = x[0];
  int64_t place = 0;
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t size = n - begin < kBlock ? n - begin : kBlock;
    const T* block = step == 1 ? x + begin : gathered;
    if (step != 1) {
      for (int64_t i = 0; i < size; ++i) gathered[i] = x[(begin + i) * step];
    }
    const T candidate = best_value<Largest>(block, size);
    if (!beats<Largest>(candidate, best)) continue;
    best = candidate;
    place = begin + place_of(best, block, size);
  }
  return place;
}

/// The places of the best in at most kWidth<T> columns. Unless NaN is Expected, its presence is
/// only noticed, and false returned: what keeps the first NaN takes far longer from one row to the
/// next.
template <bool Largest, bool Expected, class T>
REPRISE_INLINE bool try_places(int64_t* index, const T* x, int64_t rows, int64_t row, int64_t n) {
  using Places = Mask<Vec<T>>;
  Vec<T> best = load_n(x, n);
  Places places{}, nan = best != best;
  for (int64_t i = 1; i < rows; ++i) {
    const Vec<T> next = load_n(x + i * row, n);
    const Places found =
        Expected ? beats<Largest>(next, best) : Places(Largest ? next > best : next < best);
    best = Expected ? select<Vec<T>>(found, next, best) : better<Largest>(next, best);
    places = select<Places>(found, Places{} + static_cast<Element<Places>>(i), places);
    nan |= next != next;
  }
  if (!Expected && any(nan)) return false;
  for (int64_t lane = 0; lane < n && lane < kWidth<T>; ++lane) index[lane] = places[lane];
  return true;
}

template <bool Largest, class T>
void best_places(int64_t* index, const T* x, int64_t rows, int64_t row, int64_t columns) {
  for (int64_t j = 0; j < columns; j += kWidth<T>) {
    const int64_t n = columns - j;
    if (try_places<Largest, false>(index + j, x + j, rows, row, n)) continue;
    try_places<Largest, true>(index + j, x + j, rows, row, n);
  }
}

template <class T>
constexpr ReduceKernels<T> kernels() {
  ReduceKernels<T> k{sum_of<T>, add_rows<T>, best_place<true, T>, best_place<false, T>};
  if constexpr (sizeof(T) >= 4) {
    k.argmax_columns = best_places<true, T>;
    k.argmin_columns = best_places<false, T>;
  }
  return k;
}

extern const ReduceTable reduce_table;
const ReduceTable reduce_table{kernels<float>(), kernels<double>(), kernels<int64_t>(),
                               kernels<int32_t>(), kernels<uint8_t>()};

}  // namespace reprise::cpu::REPRISE_ISA
