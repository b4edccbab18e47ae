#pragma once
// Rows of core/ops/transfer.h, to where the operand lies already, which needs no other device, and
// of core/ops/memory_format.h.

#include "../../core/dispatch.h"
#include "../../core/ops/memory_format.h"
#include "../../core/ops/transfer.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

REPRISE_ROW(ToDevice, [] {
  OpRow row = elementwise_row(
      "to_device",
      [](const Tensors& in) {
        const Device device = beside(in[0]);
        return Tensors{apply(ToDevice{device, device}, dense(in)[0])};
      },
      [](const std::vector<double>& x) { return x[0]; }, {{{3, 2, 2, 5}}});
  row.integers = true;
  return row;
}())

REPRISE_ROW(ToMemoryFormat, [] {
  OpRow row = elementwise_row(
      "to_memory_format",
      [](const Tensors& in) {
        const Tensor last = apply(ToMemoryFormat{channels_last}, in[0]);
        return Tensors{apply(ToMemoryFormat{contiguous_format}, last)};
      },
      [](const std::vector<double>& x) { return x[0]; }, {{{2, 3, 4, 5}}});
  row.sizes = {{{{1, 16, 8, 8}}}, {{{4, 64, 16, 16}}}, {{{16, 64, 64, 64}}}};
  row.integers = true;
  return row;
}())

}  // namespace reprise::op_rows
