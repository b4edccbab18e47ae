// What a call on symbols will return is learnt by running it on tensors without data, for an
// unknown batch size twice: sizes that differ between the two follow the batch. Values of other C++
// types have an example of their own for each of the two.

#include <algorithm>
#include <array>
#include <cmath>

#include "../autograd/tape.h"
#include "../core/ops.h"
#include "../layers/module.h"
#include "symbolic.h"

namespace reprise::detail {
namespace {

constexpr std::array<int64_t, 2> kBatchSizes{8, 16};  // both can be halved a few times

bool is_unknown(int64_t size) { return size == kUnknown; }

/// Whether the argument differs between the two batch sizes.
bool follows_batch(const Tensor& x) {
  return x.is_symbolic() &&
         (std::ranges::any_of(x.shape(), is_unknown) || node_of("", x).type().examples.size() > 1);
}

Meta with_batch(const Meta& meta, int64_t batch) {
  Meta out = meta;
  std::ranges::replace(out.shape, kUnknown, batch);
  out.strides = dense_strides(out.shape, meta.memory_format());
  out.device = Device();
  return out;
}

/// Values all over the range, the same ones each time; drawn from no generator.
Tensor values_for(const SymbolicNode& node, int64_t batch) {
  const auto& [meta, examples, low, high] = node.type();
  const Meta dense = with_batch(meta, batch);
  constexpr double golden_ratio = 0.6180339887498949;
  std::vector<double> values(static_cast<size_t>(dense.shape.numel()));
  const double span = is_floating_point(meta.dtype) ? high - low : std::floor(high - low) + 1;
  for (size_t i = 0; i < values.size(); ++i) {
    const double fraction = static_cast<double>(i + 1) * golden_ratio;
    values[i] = low + span * (fraction - std::floor(fraction));
    if (!is_floating_point(meta.dtype)) values[i] = std::floor(values[i]);
  }
  return tensor(values, {.dtype = float64}).reshape(dense.shape).to(meta.dtype);
}

Tensor example_of(const Tensor& x, size_t attempt, bool real) {
  if (!x.is_symbolic()) return x;
  const SymbolicNode& node = node_of("", x);
  const auto& examples = node.type().examples;
  if (!examples.empty()) return examples[std::min(attempt, examples.size() - 1)];
  const int64_t batch = kBatchSizes[attempt];
  return real ? values_for(node, batch) : meta_tensor(with_batch(node.meta(), batch));
}

Tensors run(Callable& callable, std::span<const Tensor> in, size_t attempt, bool real) {
  Tensors examples;
  for (const Tensor& x : in) examples.push_back(example_of(x, attempt, real));
  try {
    return callable.call(examples);
  } catch (Error& error) {  // as a layer called on real tensors names itself
    const bool layer = dynamic_cast<nn::Module*>(&callable) != nullptr;
    if (layer && !error.has_path()) error.prepend(callable.name());
    throw;
  }
}

std::vector<SymbolicNode::Type> types_of(const Tensors& out) {
  std::vector<SymbolicNode::Type> types;
  for (const Tensor& y : out) {
    types.push_back({y.meta().dense(), {}});
    types.back().meta.device = Device::meta();
    if (boxed_type(y) != nullptr) types.back().examples.push_back(y);
  }
  return types;
}

void merge(SymbolicNode::Type& type, const Tensor& other) {
  const MemoryFormat format = type.meta.memory_format();
  if (!type.examples.empty()) type.examples.push_back(other);
  for (size_t d = 0; d < type.meta.shape.size(); ++d) {
    if (type.meta.shape[d] != other.shape()[d]) type.meta.shape[d] = kUnknown;
  }
  type.meta.strides = dense_strides(type.meta.shape, format);
}

std::vector<SymbolicNode::Type> infer(Callable& callable, std::span<const Tensor> in, bool real) {
  std::vector<SymbolicNode::Type> types = types_of(run(callable, in, 0, real));
  if (std::ranges::none_of(in, follows_batch)) return types;
  const Tensors others = run(callable, in, 1, real);
  check(others.size() == types.size(), ErrorKind::Shape, callable.name(),
        ": expected as many outputs for every batch size, got ", types.size(), " and ",
        others.size());
  for (size_t i = 0; i < types.size(); ++i) {
    check(others[i].dim() == types[i].meta.dim(), ErrorKind::Shape, callable.name(),
          ": expected as many dimensions for every batch size, got ", types[i].meta.dim(), " and ",
          others[i].dim());
    merge(types[i], others[i]);
  }
  return types;
}

}  // namespace

std::vector<SymbolicNode::Type> infer_types(Callable& callable, std::span<const Tensor> in) {
  const NoGradGuard no_grad;
  const ForgetSymbols known;
  try {
    return infer(callable, in, false);
  } catch (Error& error) {
    const bool shapes = error.kind() == ErrorKind::Shape;
    if (!shapes && dynamic_cast<CodeCallable*>(&callable) != nullptr) {
      return infer(callable, in, true);
    }
    if ((shapes || error.kind() == ErrorKind::Index) && std::ranges::any_of(in, follows_batch)) {
      error.append(text(" (the unknown batch size stands as ", kBatchSizes[0], " or ",
                        kBatchSizes[1], " while shapes are inferred)"));
    }
    throw;
  }
}

}  // namespace reprise::detail
