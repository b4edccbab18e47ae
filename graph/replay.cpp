// Running a SymbolicModel layer by layer.

#include <algorithm>

#include "replay_plan.h"

namespace reprise::detail {
namespace {

std::string type_of(const Tensor& x) {
  const BoxType* type = boxed_type(x);
  return type == nullptr ? text(x.dtype(), " ", shape_text(x.shape())) : type->name();
}

void check_type(size_t i, const Value& expected, const Tensor& got) {
  const BoxType* type = boxed_type(got);
  const bool same = expected.boxed == nullptr ? type == nullptr
                                              : type != nullptr && *type->id == *expected.boxed->id;
  if (same) return;
  fail(ErrorKind::DType, "expected input ", i, " of ",
       expected.boxed == nullptr ? text(expected.meta.dtype, " ", expected.type) : expected.type,
       ", got ", type_of(got));
}

void check_input(size_t i, const Value& value, const Tensor& got) {
  const Meta& expected = value.meta;
  if (value.boxed != nullptr || boxed_type(got) != nullptr) [[unlikely]]
    return check_type(i, value, got);
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
  const detail::Scope scope(step.name);
  SmallVector<Tensor, 4> arguments;
  for (const Source& source : step.arguments) {
    const bool constant = source.value == Source::kConstant;
    arguments.push_back(constant ? source.constant : values[source.value]);
  }
  try {
    Tensors out = step.callable->call(arguments);
    check_outputs(step, out);
    return out;
  } catch (Error& error) {
    if (!step.name.empty()) error.prepend(step.name);
    throw;
  }
}

}  // namespace

void check_outputs(const Step& step, const Tensors& out) {
  check(out.size() >= step.outputs.size(), ErrorKind::Value, "expected ", step.outputs.size(),
        " outputs, as when the graph was built, got ", out.size());
}

void check_inputs(const ReplayPlan& plan, std::span<const Tensor> in) {
  if (plan.is_part) return;
  check(in.size() == plan.input_count, ErrorKind::Value, "expected ", plan.input_count,
        " inputs, got ", in.size());
  for (size_t i = 0; i < in.size(); ++i) check_input(i, plan.values[i], in[i]);
}

Tensors replay(const ReplayPlan& plan, std::span<const Tensor> in, size_t* at) {
  check_inputs(plan, in);
  const ForgetSymbols known;
  std::vector<Tensor> values(plan.values.size());
  std::ranges::copy(in, values.begin());
  for (const Step& step : plan.steps) {
    if (at != nullptr) *at = static_cast<size_t>(&step - plan.steps.data());
    Tensors out = run_step(step, values);
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] != SIZE_MAX) values[step.outputs[i]] = std::move(out[i]);
    }
    for (size_t value : step.last_use_of) values[value] = Tensor();
  }
  if (at != nullptr) *at = plan.steps.size();
  Tensors out;
  for (size_t value : plan.outputs) out.push_back(values[value]);
  return out;
}

}  // namespace reprise::detail
