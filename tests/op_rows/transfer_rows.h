#pragma once
// Rows of core/ops/transfer.h. From the CPU to the CPU, which needs no device.

#include "../../core/dispatch.h"
#include "../../core/ops/transfer.h"
#include "elementwise_rows.h"
#include "row.h"

namespace reprise::op_rows {

REPRISE_ROW(ToDevice, [] {
  OpRow row = elementwise_row(
      "to_device", [](const Tensors& in) { return Tensors{apply(ToDevice{}, in[0].contiguous())}; },
      [](const std::vector<double>& x) { return x[0]; }, {{{3, 4, 5}}});
  row.integers = true;
  return row;
}())

}  // namespace reprise::op_rows
