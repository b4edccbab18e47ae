#pragma once
// Rows of core/ops/fused*.h. None of them has a gradient: graphs are fused after differentiation.

#include "../../core/dispatch.h"
#include "../../core/ops/fused.h"
#include "../../core/ops/fused_conv.h"
#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "conv_rows.h"
#include "matmul_rows.h"
#include "view_rows.h"

namespace reprise::op_rows {

template <class T>
FusedStep fused_step(const T& op, std::initializer_list<int64_t> in) {
  return {make_ref<const Model<T>>(op), in};
}

inline OpRow fused_row(std::string name, Fused op, const std::vector<Operand>& operands,
                       std::function<Arrays(const Arrays&)> reference) {
  OpRow row = elementwise_row(
      name, [op](const Tensors& in) { return dispatch(Model<Fused>(op), in); }, nullptr, operands);
  row.reference = std::move(reference);
  return not_differentiable(row);
}

inline Arrays concat(Arrays a, const Arrays& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

inline const Operand kAny{{3, 2, 2, 5}};

REPRISE_ROW(
    Fused,
    with_integers(fused_row(
        "fused",
        {{fused_step(Mul{}, {0, 1}), fused_step(Add{}, {3, 2}), fused_step(Relu{}, {4})}, {5}},
        {kAny, kAny, kAny},
        [](const Arrays& in) {
          return map(
              [](const auto& x) {
                const double y = x[0] * x[1] + x[2];
                return y < 0 ? 0 : y;
              },
              in);
        })),
    fused_row("fused_two_results",
              {{fused_step(Tanh{}, {0}), fused_step(Mul{}, {2, 2}), fused_step(Sub{}, {1, 3})},
               {4, 2}},
              {kAny, kAny}, [](const Arrays& in) {
                return concat(map(
                                  [](const auto& x) {
                                    const double y = std::tanh(x[0]);
                                    return x[1] - y * y;
                                  },
                                  in),
                              map([](const auto& x) { return std::tanh(x[0]); }, in));
              }))

/// relu(conv2d(x, weight, bias)), or relu(conv2d(x, weight, bias) * scale + shift + residual).
inline Array conv_reference(const ConvCase& c, const Arrays& in) {
  const auto of_channel = [&](size_t operand, const Shape& i) {
    return in[operand].values[static_cast<size_t>(i[1])];
  };
  Array y(c.y);
  for_each_index(c.y, [&](const Shape& i) { y.at(i) = of_channel(2, i); });
  for_each_product(c.a, c.x, c.w, c.y, [&](const Shape& ix, const Shape& iw, const Shape& iy) {
    y.at(iy) += (ix.empty() ? 0 : in[0].at(ix)) * in[1].at(iw);
  });
  for_each_index(c.y, [&](const Shape& i) {
    double& v = y.at(i);
    if (in.size() > 3) v = v * of_channel(3, i) + of_channel(4, i) + in[5].at(i);
    v = v < 0 ? 0 : v;
  });
  return y;
}

REPRISE_ROW(FusedConv2d, [] {
  OpRows rows = conv_rows(
      "fused_conv2d",
      [](const ConvCase& c, const Tensors& in) {
        return dispatch(Model(FusedConv2d{c.a, true, true, true, Activation::relu}), dense(in))[0];
      },
      conv_reference, 0, 1, true);
  const std::vector<ConvCase> cases = conv_cases();
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto add = [](std::vector<Operand>& operands, const Shape& y) {
      operands.insert(operands.end(), {Operand{{y[1]}}, Operand{{y[1]}}, Operand{y}});
    };
    add(rows[i].operands, cases[i].y);
    for (size_t k = 0; k < rows[i].sizes.size(); ++k) add(rows[i].sizes[k], conv_sizes()[k][2]);
    rows[i].differentiable = false;
  }
  return rows;
}())

REPRISE_ROW(FusedConv2dInputGrad, [] {
  OpRows rows = RowsOf<Conv2dInputGrad>::make();
  const std::vector<ConvCase> cases = conv_cases();
  for (size_t i = 0; i < rows.size(); ++i) {
    OpRow& row = rows[i];
    row.name = "fused_" + row.name;
    row.f = [c = cases[i]](const Tensors& in) {
      return dispatch(Model(FusedConv2dInputGrad{c.a, in[2].HW()}), dense(in));
    };
    row.reference = [grad = row.reference](const Arrays& in) {
      return map([](const auto& x) { return x[1] > 0 ? x[0] : 0; }, concat(grad(in), {in[2]}));
    };
    row.operands.push_back({cases[i].x});
    for (size_t k = 0; k < row.sizes.size(); ++k) row.sizes[k].push_back({conv_sizes()[k][0]});
    row.differentiable = false;
    row.propagates_nan = false;  // the mask decides
  }
  return rows;
}())

// What it makes is for the eyes of FusedConv2d alone.
REPRISE_ROW(PackConvWeight, [] {
  OpRows rows = conv_rows(
      "pack_conv_weight",
      [](const ConvCase& c, const Tensors& in) {
        const Tensors operands = dense(in);
        const Tensor packed = apply(PackConvWeight{c.a, in[0].HW()}, operands[1]);
        return apply(
            FusedConv2d{c.a, true, false, false, Activation::relu, true, Shape(in[1].shape())},
            operands[0], packed, operands[2]);
      },
      conv_reference, 0, 1, true);
  for (OpRow& row : rows) row.differentiable = false;
  return rows;
}())

REPRISE_ROW(FusedLinear, [] {
  OpRow row = RowsOf<Linear>::make()[0];
  row.name = "fused_linear";
  row.f = [](const Tensors& in) {
    return Tensors{apply(FusedLinear{Activation::tanh}, in[0], in[1], in[2].contiguous())};
  };
  row.reference = [linear = row.reference](const Arrays& in) {
    return map([](const auto& x) { return std::tanh(x[0]); }, linear(in));
  };
  return not_differentiable(row);
}())

REPRISE_ROW(FusedLinearInputGrad, [] {
  OpRow row;
  row.name = "fused_linear_input_grad";
  row.f = [](const Tensors& in) {
    return Tensors{apply(FusedLinearInputGrad{}, in[0], in[1], in[2].contiguous())};
  };
  row.reference = [](const Arrays& in) {
    return map([](const auto& x) { return x[1] > 0 ? x[0] : 0; },
               concat(multiply(in[0], in[1]), {in[2]}));
  };
  const auto operands = [](int64_t n, int64_t out, int64_t in) {
    return std::vector<Operand>{{{n, out}}, {{out, in}}, {{n, in}}};
  };
  row.operands = operands(5, 7, 6);
  row.sizes = {operands(4, 4, 4), operands(32, 64, 256), operands(128, 1024, 1024)};
  row.any_batch = false;
  row.propagates_nan = false;  // the mask decides
  return not_differentiable(row);
}())

inline std::vector<Operand> picked_operands(int64_t n, int64_t classes) {
  return {{{n, classes}},
          {{n, 1}, 0, static_cast<double>(classes - 1), Operand::Kind::index},
          {{n, 1}}};
}

REPRISE_ROW(LogSoftmaxGather, [] {
  OpRow row;
  row.name = "log_softmax_gather";
  row.f = [](const Tensors& in) { return Tensors{apply(LogSoftmaxGather{1}, in[0], in[1])}; };
  row.reference = [](const Arrays& in) {
    const int64_t n = in[0].shape[0], classes = in[0].shape[1];
    Array out({n, 1});
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (int64_t c = 0; c < classes; ++c) sum += std::exp(in[0].at({i, c}));
      const auto picked = static_cast<int64_t>(in[1].at({i, 0}));
      out.at({i, 0}) = in[0].at({i, picked}) - std::log(sum);
    }
    return Arrays{out};
  };
  row.operands = gather_operands(6, 5, 1);
  row.sizes = {gather_operands(32, 10, 1), gather_operands(1024, 100, 1),
               gather_operands(4096, 1000, 1)};
  return row;
}())

REPRISE_ROW(LogSoftmaxGatherGrad, [] {
  OpRow row;
  row.name = "log_softmax_gather_grad";
  row.f = [](const Tensors& in) {
    return Tensors{apply(LogSoftmaxGatherGrad{1}, in[0], in[1], in[2])};
  };
  row.reference = [](const Arrays& in) {
    Array out(in[0].shape);
    for_each_index(out.shape, [&](const Shape& i) {
      const double g = in[2].at({i[0], 0});
      const bool picked = static_cast<double>(i[1]) == in[1].at({i[0], 0});
      out.at(i) = (picked ? g : 0) - std::exp(in[0].at(i)) * g;
    });
    return Arrays{out};
  };
  row.operands = picked_operands(6, 5);
  row.sizes = {picked_operands(32, 10), picked_operands(1024, 100), picked_operands(4096, 1000)};
  return not_differentiable(row);
}())

}  // namespace reprise::op_rows
