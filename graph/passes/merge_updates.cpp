// Optimizer steps of equal attributes and one learning rate become one call, which runs where the
// last of them ran. So between the first and the last nothing may read or write what a step wrote,
// and no gradient may be written. Small ones wait for others; a large one does not, since its
// gradient takes up memory meanwhile. A GPU has more of it, and waits longer for a launch.

#include <algorithm>
#include <unordered_map>

#include "passes.h"
#include "rewrite.h"

namespace reprise::passes {
namespace {

constexpr int32_t kNoGroup = -1;

/// Bytes of gradients that wait.
constexpr size_t waiting_bytes(Device device) {
  return device.kind == Device::Kind::cuda ? 32 << 20 : 128 << 10;
}

size_t index(int32_t id) { return static_cast<size_t>(id); }

struct Group {
  std::vector<size_t> calls;
  int32_t deadline = kNever;  // a later call must not join
  size_t bytes = 0;           // of gradients, and how many may wait
  size_t room = 0;
};

class Merger {
 public:
  explicit Merger(Graph graph)
      : graph_(std::move(graph)),
        ends_(first_writes_after(graph_)),
        written_by_(graph_.values.size(), kNoGroup) {}

  Graph merged() {
    for (size_t i = 0; i < graph_.code.size(); ++i) {
      if (graph_.code[i].op->traits().effects) latest_.clear();  // steps before it stay before it
      for (ValueId id : graph_.code[i].in) touch(id, i);
      if (graph_.code[i].into != kNoValue) touch(graph_.code[i].into, i);
      if (is_optimizer_step(*graph_.code[i].op)) join(i);
    }
    for (const Group& group : groups_) merge(group.calls);
    std::erase_if(graph_.code, [](const Call& call) { return call.op == nullptr; });
    return renumber(std::move(graph_));
  }

 private:
  static bool takes(const Group& group, size_t call) {
    return group.deadline >= static_cast<int32_t>(call) && group.bytes < group.room;
  }
  int32_t& group_that_wrote(ValueId id) { return written_by_[index(graph_.value(id).root)]; }

  void touch(ValueId id, size_t call) {
    const int32_t group = group_that_wrote(id);
    if (group == kNoGroup) return;
    int32_t& deadline = groups_[index(group)].deadline;
    deadline = std::min(deadline, static_cast<int32_t>(call) - 1);
  }

  void join(size_t i) {
    const Call& call = graph_.code[i];
    const auto [found, is_new] = latest_.try_emplace(text(call.op->text(), " ", call.in[0]));
    if (is_new || !takes(groups_[index(found->second)], i)) {
      found->second = static_cast<int32_t>(groups_.size());
      groups_.emplace_back().room = waiting_bytes(graph_.meta(call.in[0]).device);
    }
    Group& group = groups_[index(found->second)];
    group.calls.push_back(i);
    for (size_t k = 0; k < call.in.size(); ++k) {
      if (call.op->traits().writes_input(k)) {
        group_that_wrote(call.in[k]) = found->second;
      } else {
        group.deadline = std::min(group.deadline, ends_[index(call.in[k])] - 1);
        group.bytes += graph_.meta(call.in[k]).nbytes();
      }
    }
  }

  /// Moves all into the last one; outputs stay the values that they were.
  void merge(std::span<const size_t> calls) {
    Call all{graph_.code[calls.back()].op, {graph_.code[calls.back()].in[0]}, {}, kNoValue, {}};
    for (size_t i : calls) {
      Call& call = graph_.code[i];
      for (ValueId id : std::span<const ValueId>(call.in).subspan(1)) all.in.push_back(id);
      for (ValueId id : call.out) all.out.push_back(id);
      call.op.reset();
    }
    graph_.code[calls.back()] = std::move(all);
  }

  Graph graph_;
  std::vector<int32_t> ends_;
  std::vector<int32_t> written_by_;  // by root
  std::vector<Group> groups_;
  std::unordered_map<std::string, int32_t> latest_;
};

}  // namespace

Graph merge_updates(Graph graph) { return Merger(std::move(graph)).merged(); }

}  // namespace reprise::passes
