// Softmax in three passes over data that stays in cache: the largest value, the exponentials of
// what lies below it and their sum, the scaling. Rows are reduced across the lanes of a vector,
// columns row by row into arrays of maxima and sums. Sums are kept in two levels, so that long ones
// stay accurate. NaN spreads over its row through the sum, and a row of -inf alone becomes NaN
// through -inf - -inf.

#include "softmax.h"

#include "extremes.h"
#include "math.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

inline constexpr int64_t kSumBlock = 1024;  // elements, or rows, summed before they join the total

/// exp(x) for x <= 0 or NaN, within 1.5 units in the last place; 0 where it is below the normal
/// numbers.
template <class V>
REPRISE_INLINE V exp_below_zero(const V& x) {
  using T = Element<V>;
  using F = FormatOf<V>;
  const V lowest = constant<V>(sizeof(T) == 4 ? T(-87.336) : T(-708.39));
  const V clamped = larger(lowest, x);
  const V rounder = constant<V>(kRounder<T>);
  const V rounded = fma(clamped, constant<V>(T(1.44269504088896341)), rounder);
  const V k = rounded - rounder;
  const V r = fma(k, constant<V>(-F::ln2_tail), fma(k, constant<V>(-F::ln2), clamped));
  const V mantissa = fma(r * r, polynomial(r, F::exp_terms), r) + T(1);
  return select<V>(x < lowest, V{}, mantissa * power_of_two(rounded));
}

/// v in the first n lanes, `fill` in the others.
template <class V>
REPRISE_INLINE V first_lanes(const V& v, int64_t n, Element<V> fill) {
  using I = Element<Mask<V>>;
  if (n >= kLanes<V>) return v;
  return select<V>(iota<I>() < static_cast<I>(n), v, broadcast<Element<V>>(fill));
}

template <class T>
REPRISE_INLINE T max_of_row(const T* x, int64_t n) {
  constexpr int64_t kStep = kWidth<T>;
  const Vec<T> lowest = broadcast<T>(-Format<T>::infinity);
  Vec<T> most[2] = {lowest, lowest};
  int64_t i = 0;
  for (; i + 2 * kStep <= n; i += 2 * kStep) {
    most[0] = larger(load(x + i), most[0]);
    most[1] = larger(load(x + i + kStep), most[1]);
  }
  for (; i < n; i += kStep) {
    most[0] = larger(first_lanes(load_n(x + i, n - i), n - i, -Format<T>::infinity), most[0]);
  }
  return best_lane<true>(larger(most[0], most[1]));
}

/// The sum of exp(x[i] - shift); the terms go to y when they are kept.
template <bool Keep, class T>
REPRISE_INLINE double exp_row(T* y, const T* x, int64_t n, T shift) {
  double total = 0;
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = n - begin < kSumBlock ? n : begin + kSumBlock;
    Vec<T> acc{};
    for (int64_t i = begin; i < end; i += kWidth<T>) {
      const Vec<T> e = exp_below_zero(load_n(x + i, end - i) - broadcast(shift));
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

/// Calls f(j, lanes) for the vectors of columns; the last may be narrower.
template <class T, class F>
REPRISE_INLINE void each_vector(int64_t columns, F f) {
  for (int64_t j = 0; j < columns; j += kWidth<T>) f(j, columns - j);
}

/// part[j] += exp(x[i][j] - most[j]) for rows in order.
template <bool Keep, class T>
REPRISE_INLINE void exp_rows(T* y, const T* x, int64_t rows, int64_t row, int64_t columns,
                             const T* most, T* part) {
  for (int64_t i = 0; i < rows; ++i) {
    each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
      const int64_t at = i * row + j;
      const Vec<T> e = exp_below_zero(load_n(x + at, lanes) - load(most + j));
      if constexpr (Keep) store_n(y + at, e, lanes);
      store(part + j, load(part + j) + e);
    });
  }
}

template <bool Log, class T>
void columns(T* y, const T* x, int64_t n, int64_t row, int64_t columns) {
  T most[kSoftmaxColumns], total[kSoftmaxColumns], part[kSoftmaxColumns];
  each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
    store(most + j, load_n(x + j, lanes));
    store(total + j, Vec<T>{});
  });
  for (int64_t i = 1; i < n; ++i) {
    each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
      store(most + j, larger(load_n(x + i * row + j, lanes), load(most + j)));
    });
  }
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t size = n - begin < kSumBlock ? n - begin : kSumBlock;
    each_vector<T>(columns, [&](int64_t j, int64_t) { store(part + j, Vec<T>{}); });
    exp_rows<!Log>(y + begin * row, x + begin * row, size, row, columns, most, part);
    each_vector<T>(columns,
                   [&](int64_t j, int64_t) { store(total + j, load(total + j) + load(part + j)); });
  }
  each_vector<T>(columns, [&](int64_t j, int64_t) {
    store(total + j, Log ? log(load(total + j)) : T(1) / load(total + j));
  });
  for (int64_t i = 0; i < n; ++i) {
    each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
      const int64_t at = i * row + j;
      const Vec<T> v = load_n((Log ? x : y) + at, lanes);
      store_n(y + at, Log ? (v - load(most + j)) - load(total + j) : v * load(total + j), lanes);
    });
  }
}

/// The terms of the sum over a line that its gradients share.
template <bool Log, class V>
REPRISE_INLINE V grad_term(const V& y, const V& gy) {
  return Log ? gy : gy * y;
}
template <bool Log, class V>
REPRISE_INLINE V grad(const V& y, const V& gy, const V& total) {
  return Log ? gy - exp(y) * total : y * (gy - total);
}

template <bool Log, class T>
void grad_rows(T* gx, const T* y, const T* gy, int64_t rows, int64_t n) {
  for (; rows > 0; --rows, gx += n, y += n, gy += n) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kSumBlock) {
      const int64_t end = n - begin < kSumBlock ? n : begin + kSumBlock;
      Vec<T> part{};
      for (int64_t i = begin; i < end; i += kWidth<T>) {
        part += first_lanes(grad_term<Log>(load_n(y + i, end - i), load_n(gy + i, end - i)),
                            end - i, T(0));
      }
      total += static_cast<double>(sum(part));
    }
    const Vec<T> all = broadcast(static_cast<T>(total));
    for (int64_t i = 0; i < n; i += kWidth<T>) {
      store_n(gx + i, grad<Log>(load_n(y + i, n - i), load_n(gy + i, n - i), all), n - i);
    }
  }
}

template <bool Log, class T>
void grad_columns(T* gx, const T* y, const T* gy, int64_t n, int64_t row, int64_t columns) {
  T total[kSoftmaxColumns], part[kSoftmaxColumns];
  each_vector<T>(columns, [&](int64_t j, int64_t) { store(total + j, Vec<T>{}); });
  for (int64_t begin = 0; begin < n; begin += kSumBlock) {
    const int64_t end = n - begin < kSumBlock ? n : begin + kSumBlock;
    each_vector<T>(columns, [&](int64_t j, int64_t) { store(part + j, Vec<T>{}); });
    for (int64_t i = begin; i < end; ++i) {
      each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
        const int64_t at = i * row + j;
        const Vec<T> term = grad_term<Log>(load_n(y + at, lanes), load_n(gy + at, lanes));
        store(part + j, load(part + j) + term);
      });
    }
    each_vector<T>(columns,
                   [&](int64_t j, int64_t) { store(total + j, load(total + j) + load(part + j)); });
  }
  for (int64_t i = 0; i < n; ++i) {
    each_vector<T>(columns, [&](int64_t j, int64_t lanes) {
      const int64_t at = i * row + j;
      const Vec<T> all = load(total + j);
      store_n(gx + at, grad<Log>(load_n(y + at, lanes), load_n(gy + at, lanes), all), lanes);
    });
  }
}

template <class T>
constexpr SoftmaxKernels<T> kernels() {
  return {rows<false, T>,      rows<true, T>,      columns<false, T>,      columns<true, T>,
          grad_rows<false, T>, grad_rows<true, T>, grad_columns<false, T>, grad_columns<true, T>};
}

extern const SoftmaxTable softmax_table;
const SoftmaxTable softmax_table{kernels<float>(), kernels<double>()};

}  // namespace reprise::cpu::REPRISE_ISA
