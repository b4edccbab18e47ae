#include "host_call.h"

#include <algorithm>

#include "../dispatch.h"
#include "check_operands.h"

namespace reprise {

Metas HostCall::infer(std::span<const Meta> in) const {
  check(f.f != nullptr && *f.f != nullptr, ErrorKind::Value, "host_call: expected a function for ",
        label, ", got none");
  check(!in.empty() || !outputs.empty(), ErrorKind::Value,
        "host_call: expected inputs or outputs for ", label, ", got neither");
  Metas out;
  for (const HostOutput& o : outputs) out.push_back(checked_meta(name, o.shape, o.dtype));
  return out;
}

Tensors host_call(std::string label, HostFunction f, const Tensors& inputs,
                  std::span<const Meta> outputs) {
  check(!outputs.empty() || std::ranges::none_of(inputs, &Tensor::is_symbolic), ErrorKind::Value,
        "host_call: expected outputs of ", label,
        " on symbolic tensors, got none, so that nothing would call it; see nn::Callback");
  HostCall op{{std::make_shared<const HostFunction>(std::move(f))}, std::move(label), {}};
  for (const Meta& m : outputs) op.outputs.push_back({m.shape, m.dtype});
  return dispatch(Model(op), inputs);
}

}  // namespace reprise
