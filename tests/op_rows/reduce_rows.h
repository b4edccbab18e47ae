#pragma once
// Rows of core/ops/reduce.h and softmax.h.

#include "../../core/ops/reduce.h"
#include "../../core/ops/softmax.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

/// The index without dim 1, of a [a, b, c] array.
inline Shape without_middle(const Shape& i) { return {i[0], i[2]}; }

inline OpRow reduce_row(std::string name, std::function<Tensors(const Tensor&)> f,
                        std::function<Arrays(const Array&)> reference) {
  OpRow row;
  row.name = std::move(name);
  row.f = [f](const Tensors& in) { return f(in[0]); };
  row.reference = [reference](const Arrays& in) { return reference(in[0]); };
  row.operands = {{{3, 7, 5}}};
  row.sizes = {{{{8, 16, 16}}}, {{{32, 64, 64}}}, {{{128, 64, 784}}}};
  return row;
}

inline Arrays sum_over(const Array& x, const Shape& shape,
                       const std::function<Shape(const Shape&)>& to) {
  Array out(shape);
  for_each_index(x.shape, [&](const Shape& i) { out.at(to(i)) += x.at(i); });
  return {out};
}

/// all and any, which are made of sums, over the last dimension.
inline OpRow truth_row(const std::string& name, Tensor (*f)(const Tensor&, const Dims&, bool),
                       bool all) {
  OpRow row = not_differentiable(with_integers(reduce_row(
      name, [f](const Tensor& x) { return Tensors{f(x, -1, false)}; },
      [all](const Array& x) {
        Array out({x.shape[0], x.shape[1]}, all);
        for_each_index(x.shape, [&](const Shape& i) {
          if ((x.at(i) != 0) != all) out.at({i[0], i[1]}) = !all;
        });
        return Arrays{out};
      })));
  row.operands = {{{3, 7, 5}, all ? -2.0 : 0.0, all ? 2.0 : 0.4, Operand::Kind::whole}};
  row.propagates_nan = false;
  return row;
}

inline OpRow mean_row() {
  OpRow row = reduce_row(
      "mean", [](const Tensor& x) { return Tensors{mean(x, 1)}; },
      [](const Array& x) {
        Array out = sum_over(x, {x.shape[0], x.shape[2]}, without_middle)[0];
        for (double& v : out.values) v /= static_cast<double>(x.shape[1]);
        return Arrays{out};
      });
  row.unit = static_cast<double>(row.operands[0].shape[1]);
  return row;
}

REPRISE_ROW(Sum, mean_row(), truth_row("all", all, true), truth_row("any", any, false),
            with_integers(reduce_row(
                "sum", [](const Tensor& x) { return Tensors{sum(x)}; },
                [](const Array& x) {
                  return sum_over(x, {}, [](const Shape&) { return Shape{}; });
                })),
            with_integers(reduce_row(
                "sum_last", [](const Tensor& x) { return Tensors{sum(x, -1, true)}; },
                [](const Array& x) {
                  return sum_over(x, {x.shape[0], x.shape[1], 1}, [](const Shape& i) {
                    return Shape{i[0], i[1], 0};
                  });
                })),
            with_integers(reduce_row(
                "sum_outer",
                [](const Tensor& x) {
                  return Tensors{sum(x, {0, 2})};
                },
                [](const Array& x) {
                  return sum_over(x, {x.shape[1]}, [](const Shape& i) { return Shape{i[1]}; });
                })))

inline Arrays extreme_over_middle(const Array& x, bool largest) {
  Array best({x.shape[0], x.shape[2]}), where({x.shape[0], x.shape[2]}, -1);
  for_each_index(x.shape, [&](const Shape& i) {
    const Shape to = without_middle(i);
    const double v = x.at(i), b = best.at(to);
    const bool first = where.at(to) < 0;
    const bool better = !std::isnan(b) && (std::isnan(v) || (largest ? v > b : v < b));
    if (!first && !better) return;
    best.at(to) = v;
    where.at(to) = static_cast<double>(i[1]);
  });
  return {best, where};
}

REPRISE_ROW(MaxDim,
            with_integers(reduce_row(
                "max",
                [](const Tensor& x) {
                  auto [values, indices] = max(x, 1);
                  return Tensors{values, indices};
                },
                [](const Array& x) { return extreme_over_middle(x, true); })),
            with_integers(reduce_row(
                "min",
                [](const Tensor& x) {
                  auto [values, indices] = min(x, 1);
                  return Tensors{values, indices};
                },
                [](const Array& x) { return extreme_over_middle(x, false); })))

/// exp(x) and the logarithm of its sum over dim `d`.
inline Array log_sum_exp(const Array& x, size_t d) {
  Shape shape = x.shape;
  shape[d] = 1;
  Array out(shape);
  for_each_index(x.shape, [&](const Shape& i) {
    Shape to = i;
    to[d] = 0;
    out.at(to) += std::exp(x.at(i));
  });
  for (double& v : out.values) v = std::log(v);
  return out;
}

inline Arrays softmax_over(const Array& x, size_t d, bool logarithm) {
  const Array scale = log_sum_exp(x, d);
  Array out(x.shape);
  for_each_index(x.shape, [&](const Shape& i) {
    Shape to = i;
    to[d] = 0;
    const double lp = x.at(i) - scale.at(to);
    out.at(i) = logarithm ? lp : std::exp(lp);
  });
  return {out};
}

REPRISE_ROW(Softmax,
            reduce_row(
                "softmax", [](const Tensor& x) { return Tensors{softmax(x, -1)}; },
                [](const Array& x) { return softmax_over(x, 2, false); }),
            reduce_row(
                "softmax_middle", [](const Tensor& x) { return Tensors{softmax(x, 1)}; },
                [](const Array& x) { return softmax_over(x, 1, false); }))
REPRISE_ROW(LogSoftmax,
            reduce_row(
                "log_softmax", [](const Tensor& x) { return Tensors{log_softmax(x, -1)}; },
                [](const Array& x) { return softmax_over(x, 2, true); }),
            reduce_row(
                "log_softmax_middle", [](const Tensor& x) { return Tensors{log_softmax(x, 1)}; },
                [](const Array& x) { return softmax_over(x, 1, true); }))

/// Of y, which need not be a softmax, and gy over dim `d`.
inline Array softmax_grad_over(const Array& y, const Array& gy, size_t d, bool logarithm) {
  Shape shape = y.shape;
  shape[d] = 1;
  Array sum(shape), gx(y.shape);
  const auto line = [d](Shape i) { return i[d] = 0, i; };
  for_each_index(y.shape, [&](const Shape& i) {
    sum.at(line(i)) += logarithm ? gy.at(i) : gy.at(i) * y.at(i);
  });
  for_each_index(y.shape, [&](const Shape& i) {
    const double total = sum.at(line(i));
    gx.at(i) = logarithm ? gy.at(i) - std::exp(y.at(i)) * total : y.at(i) * (gy.at(i) - total);
  });
  return gx;
}

inline OpRow softmax_grad_row(std::string name, int dim, bool logarithm) {
  OpRow row;
  row.name = std::move(name);
  row.f = [=](const Tensors& in) {
    const SoftmaxGrad op{dim, logarithm};
    return Tensors{apply(op, in[0].contiguous(), in[1].contiguous())};
  };
  row.reference = [=](const Arrays& in) {
    return Arrays{softmax_grad_over(in[0], in[1], static_cast<size_t>(dim), logarithm)};
  };
  row.operands = {{{3, 7, 5}}, {{3, 7, 5}}};
  row.sizes = {{{{8, 16, 16}}, {{8, 16, 16}}},
               {{{32, 64, 64}}, {{32, 64, 64}}},
               {{{128, 64, 784}}, {{128, 64, 784}}}};
  return not_differentiable(row);
}

REPRISE_ROW(SoftmaxGrad, softmax_grad_row("softmax_grad", 2, false),
            softmax_grad_row("softmax_grad_middle", 1, false),
            softmax_grad_row("log_softmax_grad", 2, true),
            softmax_grad_row("log_softmax_grad_middle", 1, true))

}  // namespace reprise::op_rows
