#pragma once
// What tests of eager against replay share.

#include <cmath>
#include <cstring>

#include "../../core/ops.h"
#include "../../core/parallel.h"
#include "../../graph/passes/passes.h"
#include "../../graph/program.h"
#include "../../graph/text.h"
#include "../../graph/verify.h"
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

/// Empty when both have the same dtype, shape and bits; else what differs.
inline std::string difference(const Tensor& got, const Tensor& expected) {
  if (got.defined() != expected.defined()) return "one of two tensors is undefined";
  if (!got.defined()) return {};
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape()) {
    return text(got.dtype(), got.shape(), " instead of ", expected.dtype(), expected.shape());
  }
  const Tensor a = got.contiguous(), b = expected.contiguous();
  if (a.numel() == 0 || std::memcmp(a.raw_data(), b.raw_data(), a.meta().nbytes()) == 0) return {};
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

/// How often the two are not next to each other: the largest distance of two elements, in units in
/// the last place of the larger one. Shapes and dtypes agree.
inline double ulps_apart(const Tensor& a, const Tensor& b) {
  const double digits = a.dtype() == float64 ? 52 : 23;
  const auto x = a.to_vector<double>(), y = b.to_vector<double>();
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (x[i] == y[i] || (std::isnan(x[i]) && std::isnan(y[i]))) continue;
    const double largest = std::max(std::abs(x[i]), std::abs(y[i]));
    worst = std::max(worst, std::abs(x[i] - y[i]) / std::exp2(std::ilogb(largest) - digits));
  }
  return worst;
}

/// Passes whose results may differ from eager by a few units in the last place.
inline constexpr std::array<std::string_view, 1> kRoundingPasses{"fold_batch_norm"};

/// What CompileOptions::passes takes: none, all that keep every bit, and each of these alone.
inline std::vector<std::string> exact_pass_specs() {
  std::string all = "dead_code";
  std::vector<std::string> out{"none"};
  for (const Pass& pass : all_passes()) {
    if (std::ranges::find(kRoundingPasses, pass.name) != kRoundingPasses.end()) continue;
    all += "," + std::string(pass.name);
    out.emplace_back(pass.name);
  }
  out.insert(out.begin() + 1, all);
  return out;
}

/// Empty for a program whose graph and plan are sound and whose text reads back.
inline std::string fault_of(const Program& program) {
  try {
    verify(program.graph());
    if (parse(to_string(program.graph())) != program.graph()) return "its text reads differently";
    return plan_fault(program.graph(), program.plan());
  } catch (const Error& error) {
    return error.what();
  }
}

/// The program of `graph`, optimised and proven after each pass.
inline Program checked_program(Graph graph, const std::string& passes) {
  return Program(optimize(std::move(graph), passes, true),
                 {.passes = "none", .check_memory = true});
}

}  // namespace reprise::test
