// Sums, sums of rows, and the place of the largest element. A search for the place looks at blocks:
// the largest value of a block is found by vectors, its place only when it beats all blocks before,
// which is rare.

#include "reduce.h"

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

template <bool Largest, class T>
REPRISE_INLINE T best_value(const T* x, int64_t n) {
  int64_t i = 0;
  T best = x[0];
  if (n >= kWidth<T>) {
    Vec<T> v = load(x);
    for (i = kWidth<T>; i + kWidth<T> <= n; i += kWidth<T>) {
      const Vec<T> next = load(x + i);
      v = select<Vec<T>>(beats<Largest>(next, v), next, v);
    }
    T lanes[kWidth<T>];
    store(lanes, v);
    best = lanes[0];
    for (const T lane : lanes) best = beats<Largest>(lane, best) ? lane : best;
  }
  for (; i < n; ++i) best = beats<Largest>(x[i], best) ? x[i] : best;
  return best;
}

template <class T>
REPRISE_INLINE int64_t place_of(T value, const T* x) {
  int64_t i = 0;
  while (x[i] != value && (x[i] == x[i] || value == value)) ++i;
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
    place = begin + place_of(best, block);
  }
  return place;
}

template <bool Largest, class T>
void best_places(int64_t* index, const T* x, int64_t rows, int64_t row, int64_t columns) {
  using Places = Mask<Vec<T>>;
  for (int64_t j = 0; j < columns; j += kWidth<T>) {
    const int64_t n = columns - j < kWidth<T> ? columns - j : kWidth<T>;
    Vec<T> best = load_n(x + j, n);
    Places places{};
    for (int64_t i = 1; i < rows; ++i) {
      const Vec<T> next = load_n(x + i * row + j, n);
      const Places better = beats<Largest>(next, best);
      best = select<Vec<T>>(better, next, best);
      places = select<Places>(better, Places{} + static_cast<Element<Places>>(i), places);
    }
    for (int64_t lane = 0; lane < n; ++lane) index[j + lane] = places[lane];
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
