// Running a SymbolicModel layer by layer.

#include <algorithm>

#include "replay_plan.h"

namespace reprise::detail {
namespace {

void check_input(size_t i, const Meta& expected, const Tensor& got) {
  bool fits = got.dim() == expected.dim() && got.dtype() == expected.dtype;
  for (size_t d = 0; fits && d < expected.shape.size(); ++d) {
    fits = expected.shape[d] == kUnknown || expected.shape[d] == got.shape()[d];
  }
  if (fits) return;
  fail(got.dtype() == expected.dtype ? ErrorKind::Shape : ErrorKind::DType, "expected input ", i,
       " of ", expected.dtype, " ", shape_text(expected.shape), ", got ", got.dtype(), " ",
       shape_text(got.shape()));
}

Tensors run_step(const Step& step, std::span<const Tensor> values) {
  const nn::detail::Scope scope(step.name);
  SmallVector<Tensor, 4> arguments;
  for (const Source& source : step.arguments) {
    const bool constant = source.value == Source::kConstant;
    arguments.push_back(constant ? source.constant : values[source.value]);
  }
  try {
    return step.callable->call(arguments);
  } catch (Error& error) {
    error.prepend(step.name);
    throw;
  }
}

}  // namespace

void check_inputs(const ReplayPlan& plan, std::span<const Tensor> in) {
  check(in.size() == plan.input_count, ErrorKind::Value, "expected ", plan.input_count,
        " inputs, got ", in.size());
  for (size_t i = 0; i < in.size(); ++i) check_input(i, plan.values[i].meta, in[i]);
}

Tensors replay(const ReplayPlan& plan, std::span<const Tensor> in) {
  check_inputs(plan, in);
  std::vector<Tensor> values(plan.values.size());
  std::ranges::copy(in, values.begin());
  for (const Step& step : plan.steps) {
    Tensors out = run_step(step, values);
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] != SIZE_MAX) values[step.outputs[i]] = std::move(out[i]);
    }
    for (size_t value : step.last_use_of) values[value] = Tensor();
  }
  Tensors out;
  for (size_t value : plan.outputs) out.push_back(values[value]);
  return out;
}

}  // namespace reprise::detail
