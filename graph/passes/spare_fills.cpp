// Gradients that are zeroed and then added to, as zero_grad(false) and backward() do: a small fill
// that one elementwise call reads, to write over it, becomes a constant operand of that call. It is
// the same arithmetic with a call less. No write is put off beyond a call with effects, such as a
// host call, which may look at the memory.

#include <algorithm>

#include "../../core/ops/create.h"
#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

constexpr size_t kSmallBytes = 16 << 10;  // where a call costs more than to read a constant

bool is_small_fill(const Graph& graph, const Call& call) {
  return as<Full>(*call.op) != nullptr && call.into != kNoValue &&
         graph.meta(call.into).nbytes() <= kSmallBytes;
}

/// Lets the fill make a value of its own, and the call that wrote over it write where it did.
void spare(Graph& graph, Call& fill, Call& call) {
  Value& filled = graph.values[static_cast<size_t>(call.into)];
  filled = {Meta(filled.meta.shape, filled.meta.dtype, filled.meta.device), call.into, 0};
  call.into = std::exchange(fill.into, kNoValue);
}

}  // namespace

Graph spare_fills(Graph graph) {
  const Uses uses(graph);
  const std::vector<int32_t> made = definitions(graph);
  int32_t barrier = 0;
  for (int32_t i = 0; i < static_cast<int32_t>(graph.code.size()); ++i) {
    Call& call = graph.code[static_cast<size_t>(i)];
    if (call.op->traits().effects) barrier = i;
    if (call.into == kNoValue || !is_elementwise(*call.op)) continue;
    const int32_t at = made[static_cast<size_t>(call.into)];
    const bool read_here_alone =
        std::ranges::all_of(uses.of(call.into), [&](int32_t reader) { return reader == i; });
    if (at < barrier || at < 0 || !read_here_alone) continue;
    Call& fill = graph.code[static_cast<size_t>(at)];
    if (is_small_fill(graph, fill)) spare(graph, fill, call);
  }
  return graph;
}

}  // namespace reprise::passes
