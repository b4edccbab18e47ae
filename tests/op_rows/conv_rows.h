#pragma once
// Rows of core/ops/conv.h.

#include "../../core/dispatch.h"
#include "../../core/ops/conv.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

/// Calls f(image index, weight index, output index) for every product that a convolution sums up;
/// in the padding, whose zeros take part in the sum, the image index is empty.
inline void for_each_product(
    const ConvAttributes& a, const Shape& x, const Shape& w, const Shape& y,
    const std::function<void(const Shape&, const Shape&, const Shape&)>& f) {
  for_each_index({y[0], y[1], y[2], y[3], w[1], w[2], w[3]}, [&](const Shape& i) {
    const int64_t group = i[1] / (w[0] / a.groups);
    const int64_t h = i[2] * a.stride.h - a.padding.h + i[5] * a.dilation.h;
    const int64_t v = i[3] * a.stride.w - a.padding.w + i[6] * a.dilation.w;
    const bool padding = h < 0 || h >= x[2] || v < 0 || v >= x[3];
    f(padding ? Shape{} : Shape{i[0], group * w[1] + i[4], h, v}, {i[1], i[4], i[5], i[6]},
      {i[0], i[1], i[2], i[3]});
  });
}

struct ConvCase {
  std::string suffix;
  Shape x, w, y;
  ConvAttributes a;
};

inline std::vector<ConvCase> conv_cases() {
  return {{"", {2, 3, 6, 7}, {4, 3, 3, 3}, {2, 4, 6, 7}, {1, 1, 1, 1}},
          {"_stride", {2, 3, 8, 7}, {4, 3, 3, 2}, {2, 4, 4, 3}, {2, Pair(1, 0), 1, 1}},
          {"_dilation", {2, 2, 9, 8}, {3, 2, 3, 3}, {2, 3, 5, 4}, {1, 0, 2, 1}},
          {"_groups", {2, 4, 5, 6}, {6, 2, 3, 3}, {2, 6, 5, 6}, {1, 1, 1, 2}},
          {"_depthwise", {2, 4, 5, 6}, {4, 1, 3, 3}, {2, 4, 3, 3}, {Pair(2, 2), 1, 1, 4}},
          {"_1x1", {2, 4, 4, 5}, {3, 4, 1, 1}, {2, 3, 4, 5}, {1, 0, 1, 1}}};
}

/// Operand shapes of conv2d at the sizes that are timed: (x, w, y), padding 1.
inline std::vector<std::array<Shape, 3>> conv_sizes() {
  return {{Shape{1, 16, 9, 9}, Shape{16, 16, 3, 3}, Shape{1, 16, 9, 9}},
          {Shape{32, 64, 9, 9}, Shape{64, 64, 3, 3}, Shape{32, 64, 9, 9}},
          {Shape{32, 64, 56, 56}, Shape{64, 64, 3, 3}, Shape{32, 64, 56, 56}}};
}

/// One row per case; `operands` picks the shapes that the op takes.
template <class F, class R>
OpRows conv_rows(const std::string& name, F f, R reference, size_t first, size_t second,
                 bool bias) {
  OpRows rows;
  for (const ConvCase& c : conv_cases()) {
    const auto operands = [=](const std::array<Shape, 3>& shapes) {
      std::vector<Operand> out{{shapes[first], -1, 1}, {shapes[second], -1, 1}};
      if (bias) out.push_back({{shapes[1][0]}});
      return out;
    };
    OpRow row;
    row.name = name + c.suffix;
    row.f = [f, c](const Tensors& in) { return Tensors{f(c, in)}; };
    row.reference = [reference, c](const Arrays& in) { return Arrays{reference(c, in)}; };
    row.operands = operands({c.x, c.w, c.y});
    for (const auto& shapes : conv_sizes()) {
      if (c.suffix.empty()) row.sizes.push_back(operands(shapes));
    }
    row.any_batch = false;
    rows.push_back(std::move(row));
  }
  return rows;
}

template <>
struct RowsOf<Conv2d> {
  static OpRows make() {
    return conv_rows(
        "conv2d",
        [](const ConvCase& c, const Tensors& in) {
          return conv2d(in[0], in[1], in[2], {c.a.stride, c.a.padding, c.a.dilation, c.a.groups});
        },
        [](const ConvCase& c, const Arrays& in) {
          Array y(c.y);
          for_each_index(
              c.y, [&](const Shape& i) { y.at(i) = in[2].values[static_cast<size_t>(i[1])]; });
          for_each_product(c.a, c.x, c.w, c.y,
                           [&](const Shape& ix, const Shape& iw, const Shape& iy) {
                             y.at(iy) += (ix.empty() ? 0 : in[0].at(ix)) * in[1].at(iw);
                           });
          return y;
        },
        0, 1, true);
  }
};

template <>
struct RowsOf<Conv2dInputGrad> {
  static OpRows make() {
    return conv_rows(
        "conv2d_input_grad",
        [](const ConvCase& c, const Tensors& in) {
          const Pair size = c.suffix.empty() ? in[0].HW() : Pair(c.x[2], c.x[3]);
          const Tensors operands = dense(in);
          return apply(Conv2dInputGrad{c.a, size}, operands[0], operands[1]);
        },
        [](const ConvCase& c, const Arrays& in) {
          Array gx(c.x);
          for_each_product(c.a, c.x, c.w, c.y,
                           [&](const Shape& ix, const Shape& iw, const Shape& iy) {
                             if (!ix.empty()) gx.at(ix) += in[0].at(iy) * in[1].at(iw);
                           });
          return gx;
        },
        2, 1, false);
  }
};

template <>
struct RowsOf<Conv2dWeightGrad> {
  static OpRows make() {
    return conv_rows(
        "conv2d_weight_grad",
        [](const ConvCase& c, const Tensors& in) {
          const Tensors operands = dense(in);
          return apply(Conv2dWeightGrad{c.a, {c.w[2], c.w[3]}}, operands[0], operands[1]);
        },
        [](const ConvCase& c, const Arrays& in) {
          Array gw(c.w);
          for_each_product(c.a, c.x, c.w, c.y,
                           [&](const Shape& ix, const Shape& iw, const Shape& iy) {
                             gw.at(iw) += in[0].at(iy) * (ix.empty() ? 0 : in[1].at(ix));
                           });
          return gw;
        },
        2, 0, false);
  }
};

}  // namespace reprise::op_rows
