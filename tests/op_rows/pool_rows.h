#pragma once
// Rows of core/ops/pool.h.

#include "../../core/dispatch.h"
#include "../../core/ops/pool.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

struct PoolCase {
  std::string suffix;
  Shape x, y;
  Pair kernel, stride, padding, dilation;
  bool ceil_mode, count_include_pad;
  int64_t divisor;
};

inline MaxPoolAttributes max_attributes(const PoolCase& c) {
  return {c.kernel, c.stride, c.padding, c.dilation, c.ceil_mode};
}

inline std::vector<PoolCase> pool_cases() {
  return {{"_3", {2, 3, 9, 9}, {2, 3, 3, 3}, 3, 3, 0, 1, false, true, 0},
          {"_2", {2, 3, 8, 7}, {2, 3, 4, 3}, 2, 2, 0, 1, false, true, 0},
          {"_padded", {2, 2, 7, 9}, {2, 2, 4, 5}, 3, 2, 1, 1, false, false, 0},
          {"_ceil", {1, 2, 8, 6}, {1, 2, 5, 4}, 3, 2, 1, 1, true, true, 0},
          {"_uneven", {1, 2, 6, 8}, {1, 2, 5, 3}, Pair(2, 3), Pair(1, 2), 0, 1, false, true, 4},
          {"_overlapping", {1, 8, 5, 6}, {1, 8, 5, 6}, 3, 1, 1, 1, false, true, 0}};
}

/// Calls f(image index) for every element in the window of output `i`, and returns how many there
/// are, with the padding as PyTorch counts it.
inline int64_t for_each_in_window(const PoolCase& c, const Shape& i,
                                  const std::function<void(const Shape&)>& f) {
  const int64_t top = i[2] * c.stride.h - c.padding.h, left = i[3] * c.stride.w - c.padding.w;
  const int64_t bottom = std::min(top + c.kernel.h * c.dilation.h, c.x[2] + c.padding.h);
  const int64_t right = std::min(left + c.kernel.w * c.dilation.w, c.x[3] + c.padding.w);
  int64_t inside = 0;
  for (int64_t h = top; h < bottom; h += c.dilation.h) {
    for (int64_t w = left; w < right; w += c.dilation.w) {
      if (h < 0 || w < 0 || h >= c.x[2] || w >= c.x[3]) continue;
      f({i[0], i[1], h, w});
      ++inside;
    }
  }
  return c.count_include_pad ? (bottom - top) * (right - left) : inside;
}

inline double divisor_of(const PoolCase& c, const Shape& i) {
  const int64_t count = for_each_in_window(c, i, [](const Shape&) {});
  return static_cast<double>(c.divisor != 0 ? c.divisor : count);
}

template <class F, class R>
OpRows pool_rows(const std::string& name, F f, R reference, bool on_x, bool whole = true,
                 double unit = 1) {
  OpRows rows;
  for (const PoolCase& c : pool_cases()) {
    OpRow row;
    row.name = name + c.suffix;
    row.f = [f, c](const Tensors& in) { return f(c, in); };
    row.reference = [reference, c](const Arrays& in) { return reference(c, in); };
    row.operands = {{on_x ? c.x : c.y}};
    if (on_x && whole && c.suffix == "_3") {
      row.sizes = {{{{1, 16, 28, 28}}}, {{{32, 64, 28, 28}}}, {{{128, 64, 28, 28}}}};
    }
    row.any_batch = false;
    row.propagates_nan = whole;  // else some elements are not read
    row.unit = unit;
    rows.push_back(std::move(row));
  }
  return rows;
}

inline Arrays max_of_windows(const PoolCase& c, const Array& x) {
  Array y(c.y), where(c.y, -1);
  for_each_index(c.y, [&](const Shape& i) {
    for_each_in_window(c, i, [&](const Shape& at) {
      const double v = x.at(at), best = y.at(i);
      const bool better = !std::isnan(best) && (std::isnan(v) || v > best);
      if (where.at(i) >= 0 && !better) return;
      y.at(i) = v;
      where.at(i) = static_cast<double>(at[2] * c.x[3] + at[3]);
    });
  });
  return {y, where};
}

/// The indices of a fixed image, for the ops that take them.
inline Tensors pooled_image(const PoolCase& c, DType dtype) {
  const InterpreterGuard eager(nullptr);  // a constant, also inside a trace
  const Tensor x = draw({c.x}, dtype, 7);
  auto [y, indices] = max_pool2d_with_indices(
      x, c.kernel, {.stride = c.stride, .padding = c.padding, .ceil_mode = c.ceil_mode});
  return {y, indices};
}
inline Array indices_of(const PoolCase& c) {
  Array x(c.x);
  x.values = draw({c.x}, float64, 7).to_vector<double>();
  return max_of_windows(c, x)[1];
}

template <>
struct RowsOf<MaxPool2d> {
  static OpRows make() {
    return pool_rows(
        "max_pool2d",
        [](const PoolCase& c, const Tensors& in) {
          auto [y, indices] = max_pool2d_with_indices(
              in[0], c.kernel,
              {.stride = c.stride, .padding = c.padding, .ceil_mode = c.ceil_mode});
          return Tensors{y, indices};
        },
        [](const PoolCase& c, const Arrays& in) { return max_of_windows(c, in[0]); }, true);
  }
};

template <>
struct RowsOf<MaxPool2dGrad> {
  static OpRows make() {
    return pool_rows(
        "max_pool2d_grad",
        [](const PoolCase& c, const Tensors& in) {
          const Tensor indices = pooled_image(c, in[0].dtype())[1].to(beside(in[0]));
          return dispatch(Model(MaxPool2dGrad{max_attributes(c), {c.x[2], c.x[3]}}),
                          dense({in[0], indices}));
        },
        [](const PoolCase& c, const Arrays& in) {
          const Array where = indices_of(c);
          Array gx(c.x);
          for_each_index(c.y, [&](const Shape& i) {
            const auto at = static_cast<int64_t>(where.at(i));
            gx.at({i[0], i[1], at / c.x[3], at % c.x[3]}) += in[0].at(i);
          });
          return Arrays{gx};
        },
        false);
  }
};

template <>
struct RowsOf<MaxPool2dGather> {
  static OpRows make() {
    return pool_rows(
        "max_pool2d_gather",
        [](const PoolCase& c, const Tensors& in) {
          const Tensor indices = pooled_image(c, in[0].dtype())[1].to(beside(in[0]));
          return dispatch(Model(MaxPool2dGather{max_attributes(c)}), dense({in[0], indices}));
        },
        [](const PoolCase& c, const Arrays& in) {
          const Array where = indices_of(c);
          Array y(c.y);
          for_each_index(c.y, [&](const Shape& i) {
            const auto at = static_cast<int64_t>(where.at(i));
            y.at(i) = in[0].at({i[0], i[1], at / c.x[3], at % c.x[3]});
          });
          return Arrays{y};
        },
        true, false);
  }
};

inline constexpr double kDivisors = 36;  // a multiple of all numbers of elements in a window

template <>
struct RowsOf<AvgPool2d> {
  static OpRows make() {
    return pool_rows(
        "avg_pool2d",
        [](const PoolCase& c, const Tensors& in) {
          AvgPool2dOptions o{c.stride, c.padding, c.ceil_mode, c.count_include_pad, {}};
          if (c.divisor != 0) o.divisor_override = c.divisor;
          return Tensors{avg_pool2d(in[0], c.kernel, o)};
        },
        [](const PoolCase& c, const Arrays& in) {
          Array y(c.y);
          for_each_index(c.y, [&](const Shape& i) {
            for_each_in_window(c, i, [&](const Shape& at) { y.at(i) += in[0].at(at); });
            y.at(i) /= divisor_of(c, i);
          });
          return Arrays{y};
        },
        true, true, kDivisors);
  }
};

template <>
struct RowsOf<AvgPool2dGrad> {
  static OpRows make() {
    return pool_rows(
        "avg_pool2d_grad",
        [](const PoolCase& c, const Tensors& in) {
          const AvgPoolAttributes a{c.kernel, c.stride, c.padding, c.ceil_mode, c.count_include_pad,
                                    c.divisor};
          return dispatch(Model(AvgPool2dGrad{a, {c.x[2], c.x[3]}}), dense(in));
        },
        [](const PoolCase& c, const Arrays& in) {
          Array gx(c.x);
          for_each_index(c.y, [&](const Shape& i) {
            const double share = in[0].at(i) / divisor_of(c, i);
            for_each_in_window(c, i, [&](const Shape& at) { gx.at(at) += share; });
          });
          return Arrays{gx};
        },
        false, true, kDivisors);
  }
};

}  // namespace reprise::op_rows
