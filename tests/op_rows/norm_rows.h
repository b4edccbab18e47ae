#pragma once
// Rows of core/ops/norm.h.

#include "../../core/dispatch.h"
#include "../../core/ops/fused_norm.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

inline constexpr double kMomentum = 0.1, kEps = 1e-5;

/// Per channel: the sum of f(index) over all other dimensions.
inline std::vector<double> per_channel(const Shape& shape,
                                       const std::function<double(const Shape&)>& f) {
  std::vector<double> out(static_cast<size_t>(shape[1]));
  for_each_index(shape, [&](const Shape& i) { out[static_cast<size_t>(i[1])] += f(i); });
  return out;
}

inline Arrays batch_norm_reference(const Arrays& in) {
  const Array &x = in[0], &w = in[1], &b = in[2];
  const double n = static_cast<double>(x.shape.numel() / x.shape[1]);
  std::vector<double> mean = per_channel(x.shape, [&](const Shape& i) { return x.at(i) / n; });
  std::vector<double> var = per_channel(x.shape, [&](const Shape& i) {
    const double d = x.at(i) - mean[static_cast<size_t>(i[1])];
    return d * d / n;
  });
  Array y(x.shape), running_mean = in[3], running_var = in[4];
  for_each_index(x.shape, [&](const Shape& i) {
    const auto c = static_cast<size_t>(i[1]);
    y.at(i) = (x.at(i) - mean[c]) / std::sqrt(var[c] + kEps) * w.values[c] + b.values[c];
  });
  for (size_t c = 0; c < mean.size(); ++c) {
    running_mean.values[c] += kMomentum * (mean[c] - running_mean.values[c]);
    running_var.values[c] += kMomentum * (var[c] * n / (n - 1) - running_var.values[c]);
  }
  return {y, running_mean, running_var};
}

inline std::vector<Operand> batch_norm_operands(const Shape& x) {
  const Shape c{x[1]};
  return {{x},
          {c, 0.5, 2},
          {c},
          {c, -1, 1, Operand::Kind::constant},
          {c, 0.5, 2, Operand::Kind::constant}};
}

REPRISE_ROW(BatchNorm, [] {
  OpRow row;
  row.name = "batch_norm";
  row.f = [](const Tensors& in) {
    const Tensor mean = in[3].clone(), var = in[4].clone();
    const Tensor y = batch_norm(in[0], mean, var, in[1], in[2],
                                {.training = true, .momentum = kMomentum, .eps = kEps});
    return Tensors{y, mean, var};
  };
  row.reference = batch_norm_reference;
  row.operands = batch_norm_operands({4, 3, 5, 2});
  row.sizes = {batch_norm_operands({4, 8, 8, 8}), batch_norm_operands({32, 32, 28, 28}),
               batch_norm_operands({128, 64, 28, 28})};
  row.any_batch = false;
  return row;
}())

REPRISE_ROW(FusedBatchNorm, [] {
  OpRow row;
  row.name = "fused_batch_norm";
  row.f = [](const Tensors& in) {
    Tensors operands{in[0], in[5]};
    operands = dense(operands);
    const Tensor mean = in[3].clone(), var = in[4].clone();
    const Tensor count = zeros({}, {.dtype = int64, .device = in[0].device()});
    const std::array all{operands[0], in[1], in[2], mean, var, count, operands[1]};
    const FusedBatchNorm op{kMomentum, kEps, true, true};
    return Tensors{dispatch(Model(op), all)[0], mean, var};
  };
  row.reference = [](const Arrays& in) {
    Arrays out = batch_norm_reference(in);
    for (size_t i = 0; i < out[0].values.size(); ++i) {
      const double y = out[0].values[i] + in[5].values[i];
      out[0].values[i] = y < 0 ? 0 : y;
    }
    return out;
  };
  const auto operands = [](const Shape& x) {
    std::vector<Operand> all = batch_norm_operands(x);
    all.push_back({x});
    return all;
  };
  row.operands = operands({4, 3, 5, 2});
  row.sizes = {operands({4, 8, 8, 8}), operands({32, 32, 28, 28}), operands({128, 64, 28, 28})};
  row.differentiable = false;
  row.any_batch = false;
  row.symbolic = false;  // it writes, and is no composite
  return row;
}())

/// of (gy, x, weight, mean, invstd)
inline Arrays batch_norm_grad_reference(const Arrays& in) {
  const Array &gy = in[0], &x = in[1], &w = in[2], &mean = in[3], &invstd = in[4];
  const double n = static_cast<double>(x.shape.numel() / x.shape[1]);
  const auto h = [&](const Shape& i) {
    const auto c = static_cast<size_t>(i[1]);
    return (x.at(i) - mean.values[c]) * invstd.values[c];
  };
  const auto gb = per_channel(x.shape, [&](const Shape& i) { return gy.at(i); });
  const auto gw = per_channel(x.shape, [&](const Shape& i) { return gy.at(i) * h(i); });
  Array gx(x.shape), gweight(w.shape), gbias(w.shape);
  gweight.values = gw;
  gbias.values = gb;
  for_each_index(x.shape, [&](const Shape& i) {
    const auto c = static_cast<size_t>(i[1]);
    gx.at(i) = w.values[c] * invstd.values[c] * (gy.at(i) - gb[c] / n - h(i) * gw[c] / n);
  });
  return Arrays{gx, gweight, gbias};
}

inline std::vector<Operand> batch_norm_grad_operands(const Shape& x) {
  const Shape c{x[1]};
  return {{x}, {x}, {c}, {c}, {c, 0.5, 2}};
}

REPRISE_ROW(BatchNormGrad, [] {
  OpRow row;
  row.name = "batch_norm_grad";
  row.f = [](const Tensors& in) { return dispatch(Model(BatchNormGrad{}), dense(in)); };
  row.reference = batch_norm_grad_reference;
  const auto operands = batch_norm_grad_operands;
  row.operands = operands({4, 3, 5, 2});
  row.sizes = {operands({4, 8, 8, 8}), operands({32, 32, 28, 28}), operands({128, 64, 28, 28})};
  row.differentiable = false;
  row.any_batch = false;
  return row;
}())

REPRISE_ROW(FusedBatchNormGrad, [] {
  OpRows rows;
  for (const bool residual : {false, true}) {
    OpRow row;
    row.name = residual ? "fused_batch_norm_grad_residual" : "fused_batch_norm_grad";
    row.f = [residual](const Tensors& in) {
      return dispatch(Model(FusedBatchNormGrad{residual}), dense(in));
    };
    row.reference = [residual](Arrays in) {
      const Array g = in[0], x = in[1];
      for_each_index(g.shape, [&](const Shape& i) {
        const auto c = static_cast<size_t>(i[1]);
        const auto normal = [&] {
          return (x.at(i) - in[3].values[c]) * in[4].values[c] * in[2].values[c] + in[5].values[c];
        };
        const double y = residual ? in[5].at(i) : normal();
        in[0].at(i) = y > 0 ? g.at(i) + (residual ? in[6].at(i) : 0) : 0;
      });
      Arrays out = batch_norm_grad_reference(in);
      if (residual) out.push_back(in[0]);
      return out;
    };
    const auto operands = [residual](const Shape& x) {
      std::vector<Operand> all = batch_norm_grad_operands(x);
      all.push_back({residual ? x : Shape{x[1]}});
      if (!residual) return all;
      all.push_back({x});
      for (const size_t k : {size_t{0}, size_t{6}})
        all[k].kind = Operand::Kind::whole;  // exact sums
      return all;
    };
    row.operands = operands({4, 3, 5, 2});
    row.sizes = {operands({4, 8, 8, 8}), operands({32, 32, 28, 28}), operands({128, 64, 28, 28})};
    row.differentiable = false;
    row.any_batch = false;
    row.propagates_nan = false;  // the mask decides
    rows.push_back(row);
  }
  return rows;
}())

}  // namespace reprise::op_rows
