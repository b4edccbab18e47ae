// Every op of core/ops/ has a row. op_list.inc is written by the build: REPRISE_OP(T) for every op
// struct it finds in the headers, so that a new op fails to compile here until it has one.

#include <iterator>

#include "conv_rows.h"
#include "elementwise_rows.h"
#include "foreach_rows.h"
#include "fused_pool_rows.h"
#include "fused_rows.h"
#include "host_rows.h"
#include "matmul_rows.h"
#include "norm_rows.h"
#include "pool_rows.h"
#include "random_rows.h"
#include "reduce_rows.h"
#include "scaling_rows.h"
#include "transfer_rows.h"
#include "update_rows.h"
#include "view_rows.h"

namespace reprise::op_rows {

OpRows all_rows() {
  OpRows rows;
  const auto add = [&](OpRows more, const OpTraits& traits) {
    for (OpRow& row : more) row.follows_format = traits.follows_format;
    rows.insert(rows.end(), std::make_move_iterator(more.begin()),
                std::make_move_iterator(more.end()));
  };
#define REPRISE_OP(T) add(RowsOf<T>::make(), reprise::detail::traits_of<T>);
#include "op_list.inc"
#undef REPRISE_OP
  return rows;
}

Tensor draw(const Operand& operand, DType real, uint64_t seed) {
  const DType dtype = operand.kind == Operand::Kind::index  ? int64
                      : operand.kind == Operand::Kind::mask ? bool_
                                                            : real;
  const double steps =
      dtype == int64 || operand.kind == Operand::Kind::whole || dtype == int32 || dtype == bool_
          ? operand.high - operand.low
          : 4096;  // few enough that float32 holds every value
  std::vector<double> values(static_cast<size_t>(operand.shape.numel()));
  for (size_t i = 0; i < values.size(); ++i) {
    const double u = uniform<double>(random_block(seed, i), 0);
    const double at =
        steps == 4096 ? std::floor(u * 4096) / 4096 : std::floor(u * (steps + 1)) / steps;
    values[i] = operand.low + at * (operand.high - operand.low);
    if (steps != 4096) values[i] = std::round(values[i]);
  }
  return tensor(values, {.dtype = float64}).to(dtype).reshape(operand.shape);
}

}  // namespace reprise::op_rows
