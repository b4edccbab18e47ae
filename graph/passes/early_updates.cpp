// An optimizer step, or a sum into .grad(), moves up to where its gradient is made and its memory
// was read for the last time: the gradient dies there, and is still in the cache. None crosses a
// call with effects, such as a host call, which may throw or look at the parameter.

#include <algorithm>

#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

size_t index(int32_t id) { return static_cast<size_t>(id); }

class Mover {
 public:
  explicit Mover(Graph graph)
      : graph_(std::move(graph)),
        made_(graph_.values.size(), 0),
        touched_(graph_.values.size(), 0),
        steps_(graph_.code.size()) {}

  Graph moved() {
    for (size_t i = 0; i < graph_.code.size(); ++i) {
      const Call& call = graph_.code[i];
      if (is_update(call)) steps_[earliest(call)].push_back(i);
      note(call, i + 1);
    }
    std::vector<Call> code;
    for (size_t i = 0; i < graph_.code.size(); ++i) {
      for (size_t step : steps_[i]) code.push_back(std::move(graph_.code[step]));
      if (graph_.code[i].op != nullptr) code.push_back(std::move(graph_.code[i]));
    }
    graph_.code = std::move(code);
    return std::move(graph_);
  }

 private:
  static bool is_update(const Call& call) {
    return is_optimizer_step(*call.op) || (call.into != kNoValue && is_elementwise(*call.op));
  }
  size_t root(ValueId id) const { return index(graph_.value(id).root); }

  /// The index of the first call in front of which it may run.
  size_t earliest(const Call& call) const {
    size_t at = std::max(barrier_, index(graph_.prologue));
    for (size_t k = 0; k < call.in.size(); ++k) {
      at = std::max(at, made_[index(call.in[k])]);
      if (call.op->traits().writes_input(k)) at = std::max(at, touched_[root(call.in[k])]);
    }
    if (call.into != kNoValue) at = std::max(at, touched_[root(call.into)]);
    return at;
  }

  void note(const Call& call, size_t behind) {
    for (ValueId id : call.in) touched_[root(id)] = behind;
    if (call.into != kNoValue) touched_[root(call.into)] = behind;
    for (ValueId id : call.out) made_[index(id)] = touched_[root(id)] = behind;
    if (call.op->traits().effects) barrier_ = behind;
  }

  Graph graph_;
  // The call behind the one that made each value, and behind the last that met each root.
  std::vector<size_t> made_, touched_;
  size_t barrier_ = 0;
  std::vector<std::vector<size_t>> steps_;  // that run in front of each call
};

}  // namespace

Graph early_updates(Graph graph) { return Mover(std::move(graph)).moved(); }

}  // namespace reprise::passes
