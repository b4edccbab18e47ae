// Under autocast gradients are made in 16 bits and copied to float32, the dtype of their parameter.
// Where optimizer steps and sums over many tensors read 16 bits they read the gradient itself:
// widening changes no value, and the copy is a call less.

#include "../../core/ops/elementwise.h"
#include "../../core/ops/foreach.h"
#include "../../core/ops/update.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

bool takes_short_gradients(const OpBase& op, Device device) {
  return op.traits().takes_half(device.kind) &&
         (is_optimizer_step(op) || as<ForeachAdd>(op) != nullptr);
}

}  // namespace

Graph short_gradients(Graph graph) {
  const std::vector<int32_t> made = definitions(graph), ends = first_writes_after(graph);
  const auto source_of = [&](ValueId id) {
    const int32_t at = made[static_cast<size_t>(id)];
    const Call* maker = at < 0 ? nullptr : &graph.code[static_cast<size_t>(at)];
    const bool is_copy = maker != nullptr && maker->into == kNoValue &&
                         as<Copy>(*maker->op) != nullptr && graph.meta(id).dtype == float32 &&
                         is_half(graph.meta(maker->in[0]).dtype);
    return is_copy ? maker->in[0] : kNoValue;
  };
  for (size_t i = 0; i < graph.code.size(); ++i) {
    Call& call = graph.code[i];
    if (!takes_short_gradients(*call.op, device_of(graph, call))) continue;
    for (size_t k = call.op->traits().writes_from; k < call.in.size(); ++k) {
      if (call.op->traits().writes_input(k)) continue;
      const ValueId source = source_of(call.in[k]);
      if (source == kNoValue || ends[static_cast<size_t>(source)] < static_cast<int32_t>(i))
        continue;
      call.in[k] = source;
    }
  }
  return dead_code(std::move(graph));
}

}  // namespace reprise::passes
