// A linear layer and its GELU where others, the gradient for one, read the linear result too. The
// one call runs where the linear layer ran, so its results are there for all readers.

#include "../../core/ops/fused_linear.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

Activation gelu_of(const OpBase& op) {
  if (as<Gelu>(op) != nullptr) return Activation::gelu;
  return as<GeluTanh>(op) != nullptr ? Activation::gelu_tanh : Activation::none;
}

/// Both single calls, one of which reads what the other makes. 16-bit values would not be rounded
/// between the two.
bool may_join(const Graph& graph, const Call& linear, const Call& gelu) {
  return as<Linear>(*linear.op) != nullptr && linear.in.size() == 3 && linear.into == kNoValue &&
         gelu.into == kNoValue && !is_half(graph.meta(gelu.out[0]).dtype);
}

}  // namespace

Graph keep_linear(Graph graph) {
  const Uses uses(graph);
  const std::vector<int32_t> definitions = reprise::definitions(graph);
  std::vector<bool> joined(graph.code.size());
  for (size_t i = static_cast<size_t>(graph.prologue); i < graph.code.size(); ++i) {
    Call& gelu = graph.code[i];
    const Activation activation = gelu_of(*gelu.op);
    if (activation == Activation::none || uses.of(gelu.in[0]).size() < 2) continue;
    const int32_t made_at = definitions[static_cast<size_t>(gelu.in[0])];
    if (made_at < graph.prologue) continue;
    Call& linear = graph.code[static_cast<size_t>(made_at)];
    if (!may_join(graph, linear, gelu)) continue;
    linear.op = Model(FusedLinear{activation, true}).keep();
    linear.out = {gelu.out[0], linear.out[0]};
    joined[i] = true;
  }
  size_t at = 0;
  std::erase_if(graph.code, [&](const Call&) { return joined[at++]; });
  return renumber(std::move(graph));
}

}  // namespace reprise::passes
