#pragma once
// One backward pass: first a walk that finds the nodes that lead to a target and counts the
// gradients each will get, then the nodes themselves, latest first, once their gradients are all
// there.

#include <queue>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gradient.h"
#include "record.h"

namespace reprise {

class BackwardPass {
 public:
  /// `into_leaves`: every leaf that requires grad is a target.
  BackwardPass(std::string_view caller, bool retain, bool into_leaves)
      : caller_(caller), retain_(retain), into_leaves_(into_leaves) {}

  /// Asks for the gradient of `t`, the next element of `captured`.
  void add_target(const Tensor& t);
  /// Walks from `roots`, each weighted by its entry in `gradients`.
  void run(const Tensors& roots, const Tensors& gradients);

  Tensors captured;  ///< undefined where a target was not reached
  std::vector<LeafGradient> leaf_gradients;

 private:
  struct Task {
    Tensors gradients;                                 // of each output, as far as known
    uint32_t waiting = 0;                              // gradients still to come
    std::vector<std::pair<size_t, uint32_t>> targets;  // indices into captured and outputs
    bool visited = false, is_target = false;
    bool runs = false;  // one of its inputs leads to a target

    bool needed() const { return runs || is_target; }
  };
  struct Frame {
    Node* node;
    size_t next = 0;  // the input to look at
  };
  struct Earlier {
    bool operator()(const Node* a, const Node* b) const { return a->sequence < b->sequence; }
  };

  void visit(Record* root);
  void enter(Record* record);
  void finish(Node& node);
  void deliver(Record& to, uint32_t output, Tensor gradient);
  void settle(Record& record);
  void run_node(Node& node, Tensors gy);

  std::string_view caller_;
  bool retain_, into_leaves_;
  SmallVector<Ref<History>, 3> roots_;  // alive whatever hooks do to the tensors
  std::unordered_map<Record*, Task> tasks_;
  std::vector<Frame> stack_;
  std::priority_queue<Node*, std::vector<Node*>, Earlier> ready_;
};

}  // namespace reprise
