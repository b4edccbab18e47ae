#include <unordered_map>

#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// Equal for calls of one op with the same attributes on the same values.
std::string key_of(const Call& call) {
  std::string key = call.op->text();
  for (ValueId id : call.in) {
    key += ',';
    key += std::to_string(id);
  }
  return key;
}

}  // namespace

Graph common_subexpressions(Graph graph) {
  Rewriter r(std::move(graph));
  struct Result {
    OpRef op;
    ValueIds out;
  };
  std::unordered_map<std::string, Result> seen;
  while (const Call* call = r.next()) {
    if (!is_pure(*call)) continue;
    Result& first = seen[key_of(*call)];
    const bool again = first.op && first.op->equals(*call->op) && r.replace(*call, first.out);
    if (!again) first = {call->op, call->out};
  }
  return r.finish();
}

}  // namespace reprise::passes
