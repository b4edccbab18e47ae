#pragma once
// Rows of core/ops/elementwise.h.

#include <cmath>

#include "../../core/dispatch.h"
#include "../../core/ops/elementwise.h"
#include "row.h"

namespace reprise::op_rows {

inline std::vector<std::vector<Operand>> elementwise_sizes(const std::vector<Operand>& operands) {
  std::vector<std::vector<Operand>> sizes;
  for (const int64_t n : {1 << 10, 1 << 16, 1 << 22}) {
    sizes.push_back(operands);
    for (Operand& o : sizes.back()) o.shape = {n};
  }
  return sizes;
}

inline Arrays map(const std::function<double(const std::vector<double>&)>& f, const Arrays& in) {
  Array out(in[0].shape);
  std::vector<double> x(in.size());
  for (size_t i = 0; i < out.values.size(); ++i) {
    for (size_t k = 0; k < in.size(); ++k) x[k] = in[k].values[i];
    out.values[i] = f(x);
  }
  return {out};
}

inline OpRow elementwise_row(std::string_view name, std::function<Tensors(const Tensors&)> f,
                             std::function<double(const std::vector<double>&)> scalar,
                             const std::vector<Operand>& operands) {
  OpRow row;
  row.name = name;
  row.f = std::move(f);
  row.reference = [scalar](const Arrays& in) { return map(scalar, in); };
  row.operands = operands;
  row.sizes = elementwise_sizes(operands);
  row.tolerance = 1e-6;
  return row;
}

template <class T>
OpRow unary_row(Tensor (*f)(const Tensor&), double (*scalar)(double), double low = -2,
                double high = 2) {
  return elementwise_row(
      T::name, [f](const Tensors& in) { return Tensors{f(in[0])}; },
      [scalar](const std::vector<double>& x) { return scalar(x[0]); }, {{{3, 2, 2, 5}, low, high}});
}

template <class T>
OpRow binary_row(Tensor (*f)(const Tensor&, const Tensor&), double (*scalar)(double, double),
                 const Operand& a = {{3, 2, 2, 5}}, const Operand& b = {{3, 2, 2, 5}}) {
  return elementwise_row(
      T::name, [f](const Tensors& in) { return Tensors{f(in[0], in[1])}; },
      [scalar](const std::vector<double>& x) { return scalar(x[0], x[1]); }, {a, b});
}

inline OpRow with_integers(OpRow row) {
  row.integers = true;
  return row;
}
inline OpRow not_differentiable(OpRow row) {
  row.differentiable = false;
  return row;
}

template <class T>
OpRow comparison_row(Tensor (*f)(const Tensor&, const Tensor&), double (*scalar)(double, double)) {
  const Operand few{{3, 2, 2, 5}, -2, 2, Operand::Kind::whole};
  OpRow row = not_differentiable(with_integers(binary_row<T>(f, scalar, few, few)));
  row.propagates_nan = false;
  return row;
}

inline double nan_max(double a, double b) { return std::isnan(a) || a > b ? a : b; }
inline double nan_min(double a, double b) { return std::isnan(a) || a < b ? a : b; }

#define REPRISE_ROW(T, ...)                        \
  template <>                                      \
  struct RowsOf<T> {                               \
    static OpRows make() { return {__VA_ARGS__}; } \
  };

REPRISE_ROW(Neg, with_integers(unary_row<Neg>(neg, [](double x) { return -x; })))
REPRISE_ROW(Abs, with_integers(unary_row<Abs>(abs, [](double x) { return std::fabs(x); })))
REPRISE_ROW(Sign, with_integers(unary_row<Sign>(sign, [](double x) {
              return std::isnan(x) ? x : static_cast<double>((x > 0) - (x < 0));
            })))
REPRISE_ROW(Relu, with_integers(unary_row<Relu>(relu, [](double x) { return x < 0 ? 0 : x; })))
REPRISE_ROW(ReluGrad, [] {
  OpRow row = binary_row<ReluGrad>(relu_grad, [](double g, double y) { return y > 0 ? g : 0; });
  row.propagates_nan = false;
  return row;
}())
REPRISE_ROW(Exp, unary_row<Exp>(exp, std::exp))
REPRISE_ROW(Log, unary_row<Log>(log, std::log, 0.1, 3))
REPRISE_ROW(Sqrt, unary_row<Sqrt>(sqrt, std::sqrt, 0.1, 3))
REPRISE_ROW(Tanh, unary_row<Tanh>(tanh, std::tanh))
REPRISE_ROW(Sigmoid, unary_row<Sigmoid>(sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }))
inline double gelu_of(double x) { return x / 2 * std::erfc(-x / std::sqrt(2)); }
inline double gelu_tanh_of(double x) {
  return x / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
}
inline double gelu_grad_of(double gy, double x) {
  const double density = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  return gy * (std::erfc(-x / std::sqrt(2)) / 2 + x * density);
}
inline double gelu_tanh_grad_of(double gy, double x) {
  const double scale = std::sqrt(2 / M_PI);
  const double t = std::tanh(scale * (x + 0.044715 * x * x * x));
  return gy / 2 * (1 + t + x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x));
}
REPRISE_ROW(Gelu, unary_row<Gelu>([](const Tensor& x) { return gelu(x); }, gelu_of, -4, 4))
REPRISE_ROW(GeluTanh, unary_row<GeluTanh>([](const Tensor& x) { return gelu(x, "tanh"); },
                                          gelu_tanh_of, -4, 4))
template <class T>
Tensor apply_two(const Tensor& a, const Tensor& b) {
  return apply(T{}, a, b);
}
REPRISE_ROW(GeluGrad, binary_row<GeluGrad>(apply_two<GeluGrad>, gelu_grad_of))
REPRISE_ROW(GeluTanhGrad, binary_row<GeluTanhGrad>(apply_two<GeluTanhGrad>, gelu_tanh_grad_of))
REPRISE_ROW(Add, with_integers(binary_row<Add>(add, [](double a, double b) { return a + b; })))
REPRISE_ROW(Sub, with_integers(binary_row<Sub>(sub, [](double a, double b) { return a - b; })))
REPRISE_ROW(Mul, with_integers(binary_row<Mul>(mul, [](double a, double b) { return a * b; })))
REPRISE_ROW(Div, binary_row<Div>(div, [](double a, double b) { return a / b; }, {{3, 2, 2, 5}},
                                 {{3, 2, 2, 5}, 0.5, 2}))
REPRISE_ROW(Remainder, with_integers(binary_row<Remainder>(
                           remainder, [](double a, double b) { return a - b * std::floor(a / b); },
                           {{3, 2, 2, 5}, -7, 7}, {{3, 2, 2, 5}, 2, 3})))
REPRISE_ROW(Pow, binary_row<Pow>(pow, [](double a, double b) { return std::pow(a, b); },
                                 {{3, 2, 2, 5}, 0.2, 2}))
REPRISE_ROW(Maximum, with_integers(binary_row<Maximum>(maximum, nan_max)))
REPRISE_ROW(Minimum, with_integers(binary_row<Minimum>(minimum, nan_min)))
REPRISE_ROW(Eq, comparison_row<Eq>(eq, [](double a, double b) { return double(a == b); }))
REPRISE_ROW(Ne, comparison_row<Ne>(ne, [](double a, double b) { return double(a != b); }))
REPRISE_ROW(Lt, comparison_row<Lt>(lt, [](double a, double b) { return double(a < b); }))
REPRISE_ROW(Le, comparison_row<Le>(le, [](double a, double b) { return double(a <= b); }))
REPRISE_ROW(Gt, comparison_row<Gt>(gt, [](double a, double b) { return double(a > b); }))
REPRISE_ROW(Ge, comparison_row<Ge>(ge, [](double a, double b) { return double(a >= b); }))
REPRISE_ROW(Where, [] {
  OpRow row = elementwise_row(
      "where", [](const Tensors& in) { return Tensors{where(in[0], in[1], in[2])}; },
      [](const std::vector<double>& x) { return x[0] != 0 ? x[1] : x[2]; },
      {{{3, 2, 2, 5}, 0, 1, Operand::Kind::mask}, {{3, 2, 2, 5}}, {{3, 2, 2, 5}}});
  row.propagates_nan = false;
  return with_integers(row);
}())
REPRISE_ROW(Copy, with_integers(unary_row<Copy>(clone, [](double x) { return x; })))

}  // namespace reprise::op_rows
