#pragma once
// Rows of core/ops/view.h, cat.h and index.h. References move values index by index.

#include "../../core/dispatch.h"
#include "../../core/ops/cat.h"
#include "../../core/ops/index.h"
#include "../../core/ops/view.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

/// out[i] = in[source(i)]
inline Arrays moved(const Array& in, const Shape& shape,
                    const std::function<Shape(const Shape&)>& source) {
  Array out(shape);
  for_each_index(shape, [&](const Shape& i) { out.at(i) = in.at(source(i)); });
  return {out};
}

inline std::vector<std::vector<Operand>> image_sizes() {
  return {{{{8, 16, 16}}}, {{{32, 64, 64}}}, {{{64, 256, 256}}}};
}

inline OpRow view_row(std::string_view name, std::function<Tensor(const Tensor&)> f,
                      std::function<Arrays(const Arrays&)> reference) {
  OpRow row;
  row.name = name;
  row.f = [f](const Tensors& in) { return Tensors{f(in[0])}; };
  row.reference = std::move(reference);
  row.operands = {{{3, 4, 6}}};
  row.sizes = image_sizes();
  row.integers = true;
  return row;
}

inline OpRow not_carrying_nan(OpRow row) {
  row.propagates_nan = false;
  return row;
}

REPRISE_ROW(ViewAs, view_row(
                        "view",
                        [](const Tensor& x) {
                          return reshape(x, {-1, 2});
                        },
                        [](const Arrays& in) {
                          Array out({in[0].shape.numel() / 2, 2});
                          out.values = in[0].values;
                          return Arrays{out};
                        }))
REPRISE_ROW(Permute, view_row(
                         "permute",
                         [](const Tensor& x) {
                           return permute(x, {2, 0, 1});
                         },
                         [](const Arrays& in) {
                           const Shape& s = in[0].shape;
                           return moved(in[0], {s[2], s[0], s[1]}, [](const Shape& i) {
                             return Shape{i[1], i[2], i[0]};
                           });
                         }))
REPRISE_ROW(StridedSlice, not_carrying_nan(view_row(
                              "slice", [](const Tensor& x) { return slice(x, 2, 1, 6, 2); },
                              [](const Arrays& in) {
                                const Shape& s = in[0].shape;
                                return moved(in[0], {s[0], s[1], 3}, [](const Shape& i) {
                                  return Shape{i[0], i[1], 1 + 2 * i[2]};
                                });
                              })))
REPRISE_ROW(Expand, [] {
  OpRow row = view_row(
      "expand",
      [](const Tensor& x) {
        return expand(x, {2, -1, 5, -1});
      },
      [](const Arrays& in) {
        const Shape& s = in[0].shape;
        return moved(in[0], {2, s[0], 5, s[2]}, [](const Shape& i) {
          return Shape{i[1], 0, i[3]};
        });
      });
  row.operands = {{{3, 1, 6}}};
  row.sizes = {{{{8, 1, 16}}}, {{{32, 1, 64}}}, {{{64, 1, 256}}}};
  return row;
}())
REPRISE_ROW(SliceGrad, [] {
  OpRow row = view_row(
      "slice_grad",
      [](const Tensor& x) {
        const int64_t n = x.size(2);
        return apply(SliceGrad{{2, 1, n, 2}, 2 * n + 3}, x);
      },
      [](const Arrays& in) {
        const Shape& s = in[0].shape;
        Array out({s[0], s[1], 2 * s[2] + 3});
        for_each_index(s, [&](const Shape& i) {
          out.at({i[0], i[1], 1 + 2 * i[2]}) = in[0].at(i);
        });
        return Arrays{out};
      });
  return row;
}())
REPRISE_ROW(Cat, [] {
  OpRow row;
  row.name = "cat";
  row.f = [](const Tensors& in) { return Tensors{cat(in, 1)}; };
  row.reference = [](const Arrays& in) {
    const Shape &a = in[0].shape, &b = in[1].shape;
    const auto behind = [&](Shape i) {
      i[1] += a[1];
      return i;
    };
    Array out(behind(b));
    for_each_index(a, [&](const Shape& i) { out.at(i) = in[0].at(i); });
    for_each_index(b, [&](const Shape& i) { out.at(behind(i)) = in[1].at(i); });
    return Arrays{out};
  };
  row.operands = {{{3, 2, 4, 2}}, {{3, 5, 4, 2}}};
  row.sizes = {{{{8, 4, 16}}, {{8, 8, 16}}},
               {{{32, 16, 64}}, {{32, 32, 64}}},
               {{{64, 64, 256}}, {{64, 64, 256}}}};
  row.integers = true;
  return row;
}())

inline std::vector<Operand> gather_operands(int64_t n, int64_t c, int64_t k) {
  return {{{n, c}}, {{n, k}, 0, static_cast<double>(c - 1), Operand::Kind::index}};
}
REPRISE_ROW(Gather, [] {
  OpRow row;
  row.name = "gather";
  row.f = [](const Tensors& in) { return Tensors{gather(in[0], 1, in[1])}; };
  row.reference = [](const Arrays& in) {
    return moved(in[0], in[1].shape, [&](const Shape& i) {
      return Shape{i[0], static_cast<int64_t>(in[1].at(i))};
    });
  };
  row.operands = gather_operands(5, 4, 6);
  row.sizes = {gather_operands(32, 10, 1), gather_operands(1024, 100, 4),
               gather_operands(4096, 1000, 64)};
  row.integers = true;
  return row;
}())
REPRISE_ROW(GatherGrad, [] {
  OpRow row;
  row.name = "gather_grad";
  row.f = [](const Tensors& in) {
    return Tensors{apply(GatherGrad{1, {in[0].size(0), 4}}, in[0], in[1])};
  };
  row.reference = [](const Arrays& in) {
    Array out({in[0].shape[0], 4});
    for_each_index(in[0].shape, [&](const Shape& i) {
      out.at({i[0], static_cast<int64_t>(in[1].at(i))}) += in[0].at(i);
    });
    return Arrays{out};
  };
  const auto operands = [](int64_t n, int64_t k) {
    return std::vector<Operand>{{{n, k}}, {{n, k}, 0, 3, Operand::Kind::index}};
  };
  row.operands = operands(5, 6);
  row.sizes = {operands(32, 1), operands(1024, 4), operands(4096, 64)};
  return row;
}())

/// Row i of the other side is row index[i] of `x`, in dimension 1.
inline Shape row_of(const Array& index, const Shape& i, int64_t size) {
  const auto at = static_cast<int64_t>(index.at({i[1]}));
  return {i[0], at < 0 ? at + size : at, i[2]};
}
inline std::vector<Operand> select_operands(const Shape& x, int64_t n, int64_t size) {
  const auto most = static_cast<double>(size);
  return {{x}, {{n}, -most, most - 1, Operand::Kind::index}};
}
REPRISE_ROW(IndexSelect, [] {
  OpRow row;
  row.name = "index_select";
  row.f = [](const Tensors& in) { return Tensors{index_select(in[0], 1, in[1])}; };
  row.reference = [](const Arrays& in) {
    const Shape &x = in[0].shape, &n = in[1].shape;
    return moved(in[0], {x[0], n[0], x[2]},
                 [&](const Shape& i) { return row_of(in[1], i, in[0].shape[1]); });
  };
  row.operands = select_operands({3, 4, 5}, 6, 4);
  row.sizes = {select_operands({1, 100, 64}, 32, 100), select_operands({1, 1000, 256}, 1024, 1000),
               select_operands({4, 1000, 256}, 4096, 1000)};
  row.integers = true;
  row.propagates_nan = false;
  return row;
}())
REPRISE_ROW(IndexSelectGrad, [] {
  OpRow row;
  row.name = "index_select_grad";
  row.f = [](const Tensors& in) { return Tensors{apply(IndexSelectGrad{1, 4}, in[0], in[1])}; };
  row.reference = [](const Arrays& in) {
    Array out({in[0].shape[0], 4, in[0].shape[2]});
    for_each_index(in[0].shape,
                   [&](const Shape& i) { out.at(row_of(in[1], i, 4)) += in[0].at(i); });
    return Arrays{out};
  };
  row.operands = select_operands({3, 6, 5}, 6, 4);
  row.sizes = {select_operands({1, 32, 64}, 32, 4), select_operands({1, 1024, 256}, 1024, 4),
               select_operands({4, 4096, 256}, 4096, 4)};
  row.any_batch = false;
  return row;
}())

}  // namespace reprise::op_rows
