#pragma once
// C++ functions among the ops: programs run them at every replay, on real tensors.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../tensor.h"

namespace reprise {

/// Runs on tensors that lie where the op's operands lie and are valid during the call: what is to
/// be kept must be cloned. It must not write to them. May allocate, read values and throw.
using HostFunction = std::function<Tensors(const Tensors&)>;

/// A function as an attribute: equal to itself alone.
struct SharedFunction {
  std::shared_ptr<const HostFunction> f;
  friend bool operator==(const SharedFunction&, const SharedFunction&) = default;
};
inline std::string to_string(const SharedFunction&) { return "a C++ function"; }

/// What a HostCall promises of an output, which is dense.
struct HostOutput {
  Shape shape;
  DType dtype;
  auto tie() const { return std::tuple(Attr("shape", shape), Attr("dtype", dtype)); }
  friend bool operator==(const HostOutput&, const HostOutput&) = default;
};

/// (any) -> outputs, copied from what `f` returns. Not differentiable; cannot be saved as text.
struct HostCall {
  SharedFunction f;
  std::string label;
  std::vector<HostOutput> outputs;
  static constexpr std::string_view name = "host_call";
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool effects = true;
  auto tie() const {
    return std::tuple(Attr("f", f), Attr("label", label), Attr("outputs", outputs));
  }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
};

/// Runs `f` on `inputs` now, and in a graph or a symbolic model at every replay. `outputs` says
/// what it returns; only shape and dtype count. `label` stands in errors. There must be inputs or
/// outputs, and on symbolic tensors outputs (Value error).
REPRISE_API Tensors host_call(std::string label, HostFunction f, const Tensors& inputs,
                              std::span<const Meta> outputs);

}  // namespace reprise
