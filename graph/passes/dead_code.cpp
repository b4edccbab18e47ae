#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

/// A capture stays when something reads it or another view of its memory, or when it is updated.
void drop_unread_captures(Graph& graph) {
  const Uses uses(graph);
  std::vector<bool> needed(graph.values.size(), false);
  for (const Update& update : graph.updates) needed[static_cast<size_t>(update.root)] = true;
  const auto is_read = [&](const Capture& capture) { return !uses.of(capture.value).empty(); };
  for (const Capture& capture : graph.captures) {
    if (is_read(capture)) needed[static_cast<size_t>(graph.value(capture.value).root)] = true;
  }
  std::erase_if(graph.captures, [&](const Capture& capture) {
    return !is_read(capture) && !needed[static_cast<size_t>(capture.value)];
  });
}

}  // namespace

Graph dead_code(Graph graph) {
  graph = rewrite(std::move(graph), {});
  drop_unread_captures(graph);
  return renumber(std::move(graph));
}

}  // namespace reprise::passes
