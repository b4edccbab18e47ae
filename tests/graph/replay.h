#pragma once
// What tests of eager against replay share.

#include <algorithm>

#include "../../core/ops.h"
#include "../../core/ops/host_call.h"
#include "../../core/parallel.h"
#include "../../graph/passes/passes.h"
#include "../../graph/program.h"
#include "../../graph/text.h"
#include "../../graph/verify.h"
#include "../core/same_bits.h"
#include "plan_checker.h"

namespace reprise::test {

/// Sets the number of threads for its lifetime.
class Threads {
 public:
  explicit Threads(int n) : before_(num_threads()) { set_num_threads(n); }
  ~Threads() { set_num_threads(before_); }
  Threads(const Threads&) = delete;

 private:
  int before_;
};

/// Empty when both have the same dtype, shape, memory format and bits; else what differs.
inline std::string difference(const Tensor& got, const Tensor& expected) {
  if (got.defined() != expected.defined()) return "one of two tensors is undefined";
  if (!got.defined()) return {};
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape()) {
    return text(got.dtype(), got.shape(), " instead of ", expected.dtype(), expected.shape());
  }
  if (got.meta().memory_format() != expected.meta().memory_format()) {
    return text("strides ", got.strides(), " instead of ", expected.strides());
  }
  const Tensor a = got.contiguous(), b = expected.contiguous();
  if (same_bits(a, b)) return {};
  return text(a, "\ninstead of\n", b);
}

inline std::string difference(std::span<const Tensor> got, std::span<const Tensor> expected,
                              std::string_view what = "output") {
  if (got.size() != expected.size()) return text(got.size(), " of ", what);
  for (size_t i = 0; i < got.size(); ++i) {
    const std::string fault = difference(got[i], expected[i]);
    if (!fault.empty()) return text(what, ' ', i, ":\n", fault);
  }
  return {};
}

/// What CompileOptions::passes takes: none, all of them, and each alone.
inline std::vector<std::string> pass_specs() {
  std::vector<std::string> out{"none", ""};
  for (const Pass& pass : all_passes()) out.emplace_back(pass.name);
  return out;
}

/// C++ functions in a graph have no text.
inline bool has_text(const Graph& graph) {
  return std::ranges::none_of(graph.code, [](const Call& c) { return as<HostCall>(*c.op); });
}

/// Empty for a program whose graph and plan are sound and whose text reads back.
inline std::string fault_of(const Program& program) {
  try {
    const Graph& graph = program.graph();
    verify(graph);
    if (has_text(graph) && parse(to_string(graph)) != graph) return "its text reads differently";
    return plan_fault(graph, program.plan());
  } catch (const Error& error) {
    return error.what();
  }
}

/// The program of `graph`, optimised and proven after each pass.
inline Program checked_program(Graph graph, const std::string& passes) {
  const auto on_cpu = [](const Value& v) { return v.meta.device == Device::cpu(); };
  const bool checks = std::ranges::all_of(graph.values, on_cpu);
  return Program(optimize(std::move(graph), passes, true),
                 {.passes = "none", .check_memory = checks});
}

}  // namespace reprise::test
