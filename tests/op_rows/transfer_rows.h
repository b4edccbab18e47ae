#pragma once
// Rows of core/ops/transfer.h. To where the operand lies already, which needs no other device.

#include "../../core/dispatch.h"
#include "../../core/ops/transfer.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

REPRISE_ROW(ToDevice, [] {
  OpRow row = elementwise_row(
      "to_device",
      [](const Tensors& in) {
        const Device device = beside(in[0]);
        return Tensors{apply(ToDevice{device, device}, in[0].contiguous())};
      },
      [](const std::vector<double>& x) { return x[0]; }, {{{3, 4, 5}}});
  row.integers = true;
  return row;
}())

}  // namespace reprise::op_rows
