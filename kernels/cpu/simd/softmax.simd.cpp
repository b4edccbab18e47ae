// Softmax in three passes over data that stays in cache: the largest value, the exponentials of
// what lies below it and their sum, the scaling. Rows are reduced across the lanes of a vector,
// columns side by side in lanes of their own. Sums are kept in two levels, so that long ones stay
// accurate. NaN spreads over its row through the largest value, and so does a row of -inf alone
// through -inf - -inf.

#include "softmax.h"

#include "math.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

inline constexpr int64_t kSumBlock = 1024;  // elements, or rows, summed before they join the total

/// v in the first n lanes, `fill` in the others.
template <class V>
REPRISE_INLINE V first_lanes(const V& v, int64_t n, Element<V> fill) {
  using I = Element<Mask<V>>;
  if (n >= kLanes<V>) return v;
  return select<V>(iota<I>() < static_cast<I>(n), v, broadcast<Element<V>>(fill));
}

template <class V>
REPRISE_INLINE Element<V> max_lane(const V& v) {
  if constexpr (kLanes<V> == 1) {
    return v[0];
  } else {
    Vec<Element<V>, kLanes<V> / 2> half[2];
    __builtin_memcpy(half, &v, sizeof(v));
    return max_lane(max(half[0], half[1]));
  }
}

template <class T>
REPRISE_INLINE T max_of_row(const T* x, int64_t n) {
  Vec<T> most = broadcast<T>(-Format<T>::infinity);
  for (int64_t i = 0; i < n; i += kWidth<T>) {
    most = max(first_lanes(load_n(x + i, n - i), n - i, -Format<T>::infinity), most);
  }
  return max_lane(most);
}

/// The sum of exp(x[i] - shift); the terms go to y when they are kept.
template <bool Keep, class T>
REPRISE_INLINE double exp_row(T* y, const T* x, int64_t n, T shift) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = n - begin < kSumBlock ? n : begin + kSumBlock;
    Vec<T> acc{};
    for (int64_t i = begin; i < end; i += kWidth<T>) {
      const Vec<T> e = exp(load_n(x + i, end - i) - broadcast(shift));
      if constexpr (Keep) store_n(y + i, e, end - i);
      acc += first_lanes(e, end - i, T(0));
    }
    total += static_cast<double>(sum(acc));
  }
  return total;
}

template <bool Log, class T>
void rows(T* y, const T* x, int64_t rows, int64_t n) {
  for (; rows > 0; --rows, y += n, x += n) {
    const T most = max_of_row(x, n);
    const Vec<T> total = broadcast(static_cast<T>(exp_row<!Log>(y, x, n, most)));
    const Vec<T> shift = broadcast(most), last = Log ? log(total) : T(1) / total;
    for (int64_t i = 0; i < n; i += kWidth<T>) {
      const Vec<T> v = load_n((Log ? x : y) + i, n - i);
      store_n(y + i, Log ? (v - shift) - last : v * last, n - i);
    }
  }
}

/// One vector of columns, `lanes` of them.
template <bool Log, class T>
REPRISE_INLINE void column(T* y, const T* x, int64_t n, int64_t row, int64_t lanes) {
  Vec<T> most = load_n(x, lanes);
  for (int64_t i = 1; i < n; ++i) most = max(load_n(x + i * row, lanes), most);
  Vec<T> total{};
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = n - begin < kSumBlock ? n : begin + kSumBlock;
    Vec<T> acc{};
    for (int64_t i = begin; i < end; ++i) {
      const Vec<T> e = exp(load_n(x + i * row, lanes) - most);
      if constexpr (!Log) store_n(y + i * row, e, lanes);
      acc += e;
    }
    total += acc;
  }
  const Vec<T> last = Log ? log(total) : T(1) / total;
  for (int64_t i = 0; i < n; ++i) {
    const Vec<T> v = load_n((Log ? x : y) + i * row, lanes);
    store_n(y + i * row, Log ? (v - most) - last : v * last, lanes);
  }
}

template <bool Log, class T>
void columns(T* y, const T* x, int64_t n, int64_t row, int64_t columns) {
  for (int64_t j = 0; j < columns; j += kWidth<T>) {
    column<Log>(y + j, x + j, n, row, columns - j);
  }
}

template <class T>
constexpr SoftmaxKernels<T> kernels() {
  return {rows<false, T>, rows<true, T>, columns<false, T>, columns<true, T>};
}

extern const SoftmaxTable softmax_table;
const SoftmaxTable softmax_table{kernels<float>(), kernels<double>()};

}  // namespace reprise::cpu::REPRISE_ISA
