#include <algorithm>

#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// Results up to this size are kept at any price; larger ones cost memory for as long as the
/// program lives, and are not worth it when they are made of much less.
constexpr size_t kSmallBytes = 16 << 10;

size_t index(ValueId id) { return static_cast<size_t>(id); }

/// Bytes that are there: repeated elements count once.
size_t distinct_bytes(Meta meta) {
  for (size_t d = 0; d < meta.shape.size(); ++d) {
    if (meta.strides[d] == 0) meta.shape[d] = std::min<int64_t>(meta.shape[d], 1);
  }
  return meta.nbytes();
}

bool is_worth_it(const Graph& graph, const Call& call) {
  if (call.op->traits().alias) return false;
  size_t made = 0, read = 0;
  for (ValueId id : call.out) made += graph.meta(id).nbytes();
  for (ValueId id : call.in) read += distinct_bytes(graph.meta(id));
  return made <= std::max(kSmallBytes, 2 * read);
}

/// By call: whether it moves, for its own sake or because one that moves reads it.
std::vector<bool> choose(const Graph& graph) {
  const std::vector<bool> constant = constant_values(graph);
  std::vector<bool> chosen(graph.code.size(), false), needed(graph.values.size(), false);
  for (size_t i = graph.code.size(); i-- > 0;) {
    const Call& call = graph.code[i];
    const auto can_move = [&](ValueId id) { return constant[index(id)]; };
    const auto is_needed = [&](ValueId id) { return needed[index(id)]; };
    chosen[i] = static_cast<int32_t>(i) < graph.prologue ||
                (!call.out.empty() && std::ranges::all_of(call.out, can_move) &&
                 (is_worth_it(graph, call) || std::ranges::any_of(call.out, is_needed)));
    if (!chosen[i]) continue;
    for (ValueId id : call.in) needed[index(id)] = true;
  }
  return chosen;
}

}  // namespace

Graph hoist(Graph graph) {
  const std::vector<bool> chosen = choose(graph);
  std::vector<Call> prologue, rest;
  for (size_t i = 0; i < graph.code.size(); ++i) {
    (chosen[i] ? prologue : rest).push_back(std::move(graph.code[i]));
  }
  graph.prologue = static_cast<int32_t>(prologue.size());
  graph.code = std::move(prologue);
  std::ranges::move(rest, std::back_inserter(graph.code));
  return renumber(std::move(graph));
}

}  // namespace reprise::passes
