#include "fused.h"

#include <algorithm>

#include "../model.h"
#include "../tensor.h"
#include "elementwise.h"

namespace reprise {
namespace {

void check_inputs(std::span<const Meta> in) {
  check(!in.empty() && in.size() <= kMostFusedInputs, ErrorKind::Value, "fused: expected 1 to ",
        kMostFusedInputs, " inputs, got ", in.size());
  for (const Meta& x : in) {
    check(x.shape == in[0].shape, ErrorKind::Shape, "fused: expected inputs of one shape, got ",
          in[0].shape, " and ", x.shape);
  }
}

/// The operands of a step, looked up among the earlier ones.
Metas operands_of(const FusedStep& step, std::span<const Meta> earlier) {
  check(step.op != nullptr && step.op->traits().elementwise != ElementwiseIndex::none,
        ErrorKind::Value, "fused: expected elementwise ops, got ",
        step.op == nullptr ? "none" : step.op->name());
  const auto arity = static_cast<size_t>(elementwise_arity(step.op->traits().elementwise));
  check(step.in.size() == arity, ErrorKind::Value, "fused: expected ", arity, " operands in ",
        step);
  Metas out;
  for (const int64_t k : step.in) {
    check(k >= 0 && static_cast<size_t>(k) < earlier.size(), ErrorKind::Index,
          "fused: expected earlier operands in ", step, ", got ", k);
    out.push_back(earlier[static_cast<size_t>(k)]);
  }
  return out;
}

}  // namespace

bool operator==(const FusedStep& a, const FusedStep& b) {
  return a.op->equals(*b.op) && std::equal(a.in.begin(), a.in.end(), b.in.begin(), b.in.end());
}

std::string to_string(const FusedStep& step) {
  std::string out = step.op->text() + "(";
  for (const int64_t& k : step.in) out += text(&k == step.in.begin() ? "" : ", ", k);
  return out + ")";
}

Metas Fused::infer(std::span<const Meta> in) const {
  check_inputs(in);
  check(!steps.empty() && steps.size() <= kMostFusedSteps, ErrorKind::Value,
        "fused: expected 1 to ", kMostFusedSteps, " steps, got ", steps.size());
  std::vector<Meta> metas(in.begin(), in.end());
  for (const FusedStep& step : steps) {
    metas.push_back(step.op->infer(operands_of(step, metas)).front());
    check(as<Remainder>(*step.op) == nullptr || is_floating_point(metas.back().dtype),
          ErrorKind::DType,
          "fused: expected no remainder of integers, whose divisors must not be 0");
  }
  check(!results.empty() && results.size() <= kMostFusedResults, ErrorKind::Value,
        "fused: expected 1 to ", kMostFusedResults, " results, got ", results.size());
  Metas out;
  for (const int64_t& k : results) {
    check(k >= static_cast<int64_t>(in.size()) && k < static_cast<int64_t>(metas.size()) &&
              std::count(results.begin(), results.end(), k) == 1,
          ErrorKind::Index, "fused: expected results to be steps, none twice, got ", k);
    out.push_back(metas[static_cast<size_t>(k)]);
    check(out.back().strides == out[0].strides, ErrorKind::Value,
          "fused: expected results of one memory format, got strides ", out[0].strides, " and ",
          out.back().strides);
  }
  return out;
}

}  // namespace reprise
