#include "fused_linear.h"

#include "check_operands.h"

namespace reprise {

Metas FusedLinear::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  check(activation != Activation::none || !keeps_linear, ErrorKind::Value, name,
        ": expected an activation, or one result");
  Metas out = Linear{}.infer(in);
  if (keeps_linear) out.push_back(out[0]);
  return out;
}

size_t FusedLinear::workspace(std::span<const Meta> in, Device device) const {
  return Linear{}.workspace(in, device);
}

Metas FusedLinearInputGrad::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  check(gradient_index(activation) != ElementwiseIndex::none, ErrorKind::Value, name,
        ": expected relu, gelu or gelu_tanh, got ", activation);
  check(in[0].dim() == 2, ErrorKind::Shape, name, ": expected a gradient [N, out], got ",
        in[0].shape);
  check_floating(name, in);
  Metas out = MatMul{}.infer(in.first(2));
  check(in[2].shape == out[0].shape, ErrorKind::Shape, name,
        ": expected what was saved like the result, ", out[0].shape, ", got ", in[2].shape);
  check_dense(name, in.subspan(2));
  return out;
}

}  // namespace reprise
