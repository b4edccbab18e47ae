// Batch normalisation of matrices. A channel is either a whole matrix, whose sums fold the lanes of
// each row, or one column of it, whose sums stay in a lane of their own. Statistics are kept in
// double.

#include "norm.h"

#include "sum.h"
#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

using Doubles = Vec<double>;

template <class T>
void squares_channel(Rows shape, const T* x, const double* mean, double* sum) {
  const Doubles m = broadcast(*mean);
  const auto square = [m](const Doubles& v) { return (v - m) * (v - m); };
  for (int64_t i = 0; i < shape.rows; ++i) {
    *sum += sum_terms<double>(shape.columns, square, x + i * shape.step);
  }
}

template <class T>
void products_channel(Rows shape, const T* gy, const T* x, const double* mean, double* sum,
                      double* product) {
  const Doubles m = broadcast(*mean);
  const auto same = [](const Doubles& g) { return g; };
  const auto times = [m](const Doubles& g, const Doubles& v) { return g * (v - m); };
  for (int64_t i = 0; i < shape.rows; ++i) {
    const int64_t at = i * shape.step;
    *sum += sum_terms<double>(shape.columns, same, gy + at);
    *product += sum_terms<double>(shape.columns, times, gy + at, x + at);
  }
}

template <class T>
void squares_channels(Rows shape, const T* x, const double* mean, double* sum) {
  for (int64_t j = 0; j < shape.columns; j += kWidth<double>) {
    const int64_t n = shape.columns - j;
    const Doubles m = load_n(mean + j, n);
    Doubles acc = load_n(sum + j, n);
    for (int64_t i = 0; i < shape.rows; ++i) {
      const Doubles d = load_as<double>(x + i * shape.step + j, n) - m;
      acc += d * d;
    }
    store_n(sum + j, acc, n);
  }
}

template <class T>
void products_channels(Rows shape, const T* gy, const T* x, const double* mean, double* sum,
                       double* product) {
  for (int64_t j = 0; j < shape.columns; j += kWidth<double>) {
    const int64_t n = shape.columns - j;
    const Doubles m = load_n(mean + j, n);
    Doubles sums = load_n(sum + j, n), products = load_n(product + j, n);
    for (int64_t i = 0; i < shape.rows; ++i) {
      const int64_t at = i * shape.step + j;
      const Doubles g = load_as<double>(gy + at, n);
      sums += g;
      products += g * (load_as<double>(x + at, n) - m);
    }
    store_n(sum + j, sums, n);
    store_n(product + j, products, n);
  }
}

/// The parameters of channels in the columns from j on: n of them, or one for all.
template <bool PerColumn, class T>
REPRISE_INLINE Vec<T> parameter(const T* p, int64_t j, int64_t n) {
  return PerColumn ? load_n(p + j, n) : broadcast(*p);
}

template <bool PerColumn, class T>
REPRISE_INLINE Vec<T> normal(const Affine<T>& map, const T* x, int64_t j, int64_t n) {
  return fma(load_n(x, n) - parameter<PerColumn>(map.mean, j, n),
             parameter<PerColumn>(map.scale, j, n), parameter<PerColumn>(map.shift, j, n));
}

template <bool PerColumn, class T>
void affine(Rows shape, const T* x, T* y, Affine<T> map) {
  for (int64_t i = 0; i < shape.rows; ++i) {
    for (int64_t j = 0; j < shape.columns; j += kWidth<T>) {
      const int64_t at = i * shape.step + j, n = shape.columns - j;
      Vec<T> v = normal<PerColumn>(map, x + at, j, n);
      if (map.residual != nullptr) v = v + load_n(map.residual + at, n);
      if (map.relu) v = select<Vec<T>>(v < Vec<T>{}, Vec<T>{}, v);
      store_n(y + at, v, n);
    }
  }
}

template <bool PerColumn, class T>
void relu_grad(Rows shape, ReluOf<T> of, T* g) {
  for (int64_t i = 0; i < shape.rows; ++i) {
    for (int64_t j = 0; j < shape.columns; j += kWidth<T>) {
      const int64_t at = i * shape.step + j, n = shape.columns - j;
      Vec<T> v = load_n(of.gy + at, n);
      if (of.more != nullptr) v = v + load_n(of.more + at, n);
      const Vec<T> y =
          of.y != nullptr ? load_n(of.y + at, n) : normal<PerColumn>(of.map, of.x + at, j, n);
      store_n(g + at, select<Vec<T>>(y > Vec<T>{}, v, Vec<T>{}), n);
    }
  }
}

template <bool PerColumn, class T>
void affine_grad(Rows shape, const T* gy, const T* x, T* gx, AffineGrad<T> map) {
  for (int64_t i = 0; i < shape.rows; ++i) {
    const int64_t row = i * shape.step;
    for (int64_t j = 0; j < shape.columns; j += kWidth<T>) {
      const int64_t at = row + j, n = shape.columns - j;
      const Vec<T> g = load_n(gy + at, n) - parameter<PerColumn>(map.offset, j, n);
      const Vec<T> centred = load_n(x + at, n) - parameter<PerColumn>(map.mean, j, n);
      const Vec<T> slope = parameter<PerColumn>(map.slope, j, n);
      store_n(gx + at, fma(-centred, slope, g) * parameter<PerColumn>(map.scale, j, n), n);
    }
  }
}

template <class T>
constexpr NormKernels<T> kernels() {
  return {squares_channel<T>,    squares_channels<T>, products_channel<T>, products_channels<T>,
          affine<false, T>,      affine<true, T>,     relu_grad<false, T>, relu_grad<true, T>,
          affine_grad<false, T>, affine_grad<true, T>};
}

extern const NormTable norm_table;
const NormTable norm_table{kernels<float>(), kernels<double>()};

}  // namespace reprise::cpu::REPRISE_ISA
