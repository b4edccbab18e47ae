#pragma once
// What a capture leaves: the graph, and what of it can be launched.

#include <algorithm>
#include <vector>

#include "check.h"

namespace reprise::cuda {

/// A captured graph. Its nodes are needed as long as copies may be given other addresses.
struct Graph {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t exec = nullptr;
  std::vector<cudaGraphNode_t> left_out = {};  // copies

  Graph() = default;
  Graph(const Graph&) = delete;
  ~Graph() {
    if (exec != nullptr) (void)cudaGraphExecDestroy(exec);
    if (graph != nullptr) (void)cudaGraphDestroy(graph);
  }

  /// Gives a copy other addresses. False when it cannot copy between them, and is left out.
  bool set_copy(cudaGraphNode_t copy, void* to, const void* from, size_t bytes);

  int64_t kernels() const {
    size_t count = 0;
    REPRISE_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &count));
    std::vector<cudaGraphNode_t> nodes(count);
    REPRISE_CUDA_CHECK(cudaGraphGetNodes(graph, nodes.data(), &count));
    return std::ranges::count_if(nodes, [](cudaGraphNode_t node) {
      cudaGraphNodeType type{};
      REPRISE_CUDA_CHECK(cudaGraphNodeGetType(node, &type));
      return type == cudaGraphNodeTypeKernel;
    });
  }
};

inline Graph& graph_of(void* graph) { return *static_cast<Graph*>(graph); }

}  // namespace reprise::cuda
