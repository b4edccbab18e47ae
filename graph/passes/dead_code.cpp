#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// A capture stays when something reads it or another view of its memory, or when it is updated.
Graph drop_unread_captures(Graph graph) {
  const Uses uses(graph);
  std::vector<bool> needed(graph.values.size(), false);
  for (const Update& update : graph.updates) needed[static_cast<size_t>(update.root)] = true;
  const auto is_read = [&](const Capture& capture) { return !uses.of(capture.value).empty(); };
  for (const Capture& capture : graph.captures) {
    if (is_read(capture)) needed[static_cast<size_t>(graph.value(capture.value).root)] = true;
  }
  const size_t dropped = std::erase_if(graph.captures, [&](const Capture& capture) {
    return !is_read(capture) && !needed[static_cast<size_t>(capture.value)];
  });
  return dropped == 0 ? std::move(graph) : renumber(std::move(graph));
}

}  // namespace

Graph dead_code(Graph graph) { return drop_unread_captures(rewrite(std::move(graph), {})); }

}  // namespace reprise::passes
