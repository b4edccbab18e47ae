// Pictures by Graphviz's library, in builds that found it. It is not made for several threads and
// would print its complaints; they are collected instead.

#include "../core/error.h"
#include "graphviz.h"

#ifdef REPRISE_GRAPHVIZ

#include <graphviz/gvc.h>

#include <memory>
#include <mutex>

namespace reprise::detail {
namespace {

std::mutex rendering;
std::string complaints;

/// Its plugins stay loaded, so it lives as long as the process.
GVC_t* context() {
  static GVC_t* const value = gvContext();
  return value;
}

struct CloseGraph {
  void operator()(Agraph_t* graph) const {
    gvFreeLayout(context(), graph);
    agclose(graph);
  }
};

/// The type of the length differs between versions.
template <class Length>
std::string rendered(int (*render)(GVC_t*, Agraph_t*, const char*, char**, Length*),
                     Agraph_t* graph, const std::string& format) {
  char* data = nullptr;
  Length size = 0;
  const int status = render(context(), graph, format.c_str(), &data, &size);
  const std::unique_ptr<char, void (*)(char*)> owner(data, gvFreeRenderData);
  return status == 0 && data != nullptr ? std::string(data, size) : std::string();
}

std::string layout_and_render(const std::string& dot, const std::string& format) {
  const std::unique_ptr<Agraph_t, CloseGraph> graph(agmemread(dot.c_str()));
  if (graph == nullptr || gvLayout(context(), graph.get(), "dot") != 0) return {};
  return rendered(gvRenderData, graph.get(), format);
}

}  // namespace

bool has_graphviz_library() { return true; }

std::string render_with_library(const std::string& dot, const std::string& format) {
  const std::lock_guard lock(rendering);
  complaints.clear();
  const auto previous = agseterrf([](auto* words) {
    complaints += words;
    return 0;
  });
  std::string picture = layout_and_render(dot, format);
  agseterrf(previous);
  if (picture.empty()) graphviz_failed(format, complaints);
  return picture;
}

}  // namespace reprise::detail

#else

namespace reprise::detail {

bool has_graphviz_library() { return false; }

std::string render_with_library(const std::string&, const std::string&) {
  fail(ErrorKind::Io, "draw_graph: Reprise was built without Graphviz's library");
}

}  // namespace reprise::detail

#endif
