#pragma once
// Rows of core/ops/matmul.h.

#include "../../core/ops/matmul.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

inline Arrays multiply(const Array& a, const Array& b) {
  const bool batch = a.shape.dim() == 3;
  const size_t r = a.shape.size();
  const int64_t m = a.shape[r - 2], k = a.shape[r - 1], n = b.shape[r - 1];
  Array out(batch ? Shape{a.shape[0], m, n} : Shape{m, n});
  for_each_index(out.shape, [&](const Shape& i) {
    Shape ia = i, ib = i;
    double sum = 0;
    for (int64_t p = 0; p < k; ++p) {
      ia[r - 1] = p;
      ib[r - 2] = p;
      sum += a.at(ia) * b.at(ib);
    }
    out.at(i) = sum;
  });
  return {out};
}

inline OpRow matmul_row(std::string name, std::vector<Operand> operands,
                        std::vector<std::vector<Operand>> sizes) {
  OpRow row;
  row.name = std::move(name);
  row.f = [](const Tensors& in) { return Tensors{matmul(in[0], in[1])}; };
  row.reference = [](const Arrays& in) { return multiply(in[0], in[1]); };
  row.operands = std::move(operands);
  row.sizes = std::move(sizes);
  row.any_batch = row.operands[0].shape.dim() == 3;
  return row;
}

REPRISE_ROW(MatMul,
            matmul_row("matmul", {{{5, 7}}, {{7, 6}}},
                       {{{{32, 32}}, {{32, 32}}},
                        {{{256, 256}}, {{256, 256}}},
                        {{{1024, 1024}}, {{1024, 1024}}}}),
            matmul_row("matmul_batch", {{{3, 5, 7}}, {{3, 7, 6}}},
                       {{{{8, 8, 8}}, {{8, 8, 8}}},
                        {{{16, 64, 64}}, {{16, 64, 64}}},
                        {{{64, 128, 128}}, {{64, 128, 128}}}}))

inline std::vector<Operand> linear_operands(int64_t n, int64_t in, int64_t out) {
  return {{{n, in}}, {{out, in}}, {{out}}};
}

REPRISE_ROW(Linear, [] {
  OpRow row;
  row.name = "linear";
  row.f = [](const Tensors& in) { return Tensors{linear(in[0], in[1], in[2])}; };
  row.reference = [](const Arrays& in) {
    Array out({in[0].shape[0], in[1].shape[0]});
    for_each_index(out.shape, [&](const Shape& i) {
      double sum = in[2].values[static_cast<size_t>(i[1])];
      for (int64_t p = 0; p < in[0].shape[1]; ++p) sum += in[0].at({i[0], p}) * in[1].at({i[1], p});
      out.at(i) = sum;
    });
    return Arrays{out};
  };
  row.operands = linear_operands(5, 7, 6);
  row.sizes = {linear_operands(4, 4, 4), linear_operands(32, 64, 256),
               linear_operands(128, 1024, 1024)};
  row.any_batch = false;
  return row;
}())

REPRISE_ROW(LinearWeightGrad, [] {
  OpRow row;
  row.name = "linear_weight_grad";
  row.f = [](const Tensors& in) { return dispatch(Model(LinearWeightGrad{}), in); };
  row.reference = [](const Arrays& in) {
    const int64_t n = in[0].shape[0], out = in[0].shape[1];
    Array turned({out, n}), sums({out});
    for_each_index(turned.shape, [&](const Shape& i) {
      turned.at(i) = in[0].at({i[1], i[0]});
      sums.at({i[0]}) += turned.at(i);
    });
    return Arrays{multiply(turned, in[1])[0], sums};
  };
  row.operands = {{{5, 7}}, {{5, 6}}};
  row.sizes = {{{{8, 4}}, {{8, 4}}}, {{{64, 128}}, {{64, 128}}}, {{{512, 512}}, {{512, 512}}}};
  return row;
}())

}  // namespace reprise::op_rows
