#include "split_graph.h"

#include <algorithm>

#include "passes/passes.h"
#include "passes/rewrite.h"

namespace reprise::detail {
namespace {

size_t index(ValueId id) { return static_cast<size_t>(id); }

constexpr std::string_view kBackward = "backward";

/// Which backward a call belongs to; SIZE_MAX for the forward.
size_t part_of(const Call& call, size_t parts) {
  if (!call.where.starts_with(kBackward)) return SIZE_MAX;
  const std::string_view scope = std::string_view(call.where).substr(0, call.where.find('.'));
  for (size_t k = 0; k < parts; ++k) {
    if (scope == backward_scope(k)) return k;
  }
  return SIZE_MAX;
}

/// A view that can be made again from what it views, unlike one that waits for a write.
bool is_view(const Call& call) {
  return call.op->traits().alias && call.into == kNoValue && call.op->name() != After::name;
}

class Splitter {
 public:
  Splitter(const Graph& joint, size_t num_inputs, GradientGraphs& result)
      : joint_(joint),
        num_inputs_(num_inputs),
        result_(result),
        makers_(definitions(joint)),
        written_(passes::written_memories(joint)),
        crossing_(joint.values.size(), SIZE_MAX) {}

  void run() {
    find_parts();
    check_updates();
    outputs_.assign(joint_.outputs.begin(),
                    joint_.outputs.begin() + static_cast<ptrdiff_t>(result_.num_outputs));
    size_t first_output = result_.num_outputs;
    for (size_t k = 0; k < result_.backward.size(); ++k) {
      build_backward(k, first_output);
      first_output += result_.backward[k].targets.size();
    }
    build_forward();
  }

 private:
  /// The forward comes first, then one backward after the other.
  void find_parts() {
    for (const Call& call : joint_.code) {
      part_.push_back(part_of(call, result_.backward.size()));
    }
    forward_end_ = static_cast<size_t>(
        std::ranges::find_if(part_, [](size_t k) { return k != SIZE_MAX; }) - part_.begin());
  }

  void check_updates() const {
    for (const Update& update : joint_.updates) {
      check(std::ranges::find(joint_.inputs, update.root) == joint_.inputs.end(), ErrorKind::Graph,
            "an input is written in place");
      const int32_t writer = makers_[index(update.last)];
      check(writer >= 0 && static_cast<size_t>(writer) < forward_end_, ErrorKind::Graph,
            "the backward writes a tensor from outside");
    }
  }

  void build_forward() {
    Graph graph = joint_;
    graph.code.resize(forward_end_);
    graph.inputs.resize(num_inputs_);
    graph.outputs = outputs_;
    result_.forward = passes::dead_code(std::move(graph));
  }

  void build_backward(size_t k, size_t first_output) {
    BackwardGraph& part = result_.backward[k];
    std::vector<ValueId> inputs;
    names_.assign(joint_.values.size(), kNoValue);
    reads_.clear();
    graph_ = &part.graph;
    for (size_t i = 0; i < part.given.size(); ++i) {
      if (!part.given[i]) continue;
      const ValueId gradient = joint_.inputs[num_inputs_ + i];
      inputs.push_back(names_[index(gradient)] = graph_->add_root(joint_.meta(gradient)));
    }
    for (size_t i = forward_end_; i < joint_.code.size(); ++i) {
      if (part_[i] == k) add_call(joint_.code[i], k);
    }
    for (size_t i = 0; i < part.targets.size(); ++i) {
      graph_->outputs.push_back(name(joint_.outputs[first_output + i]));
    }
    for (const auto& [value, which] : reads_) {
      graph_->inputs.push_back(value);
      part.reads.push_back(which);
    }
    graph_->inputs.insert(graph_->inputs.end(), inputs.begin(), inputs.end());
  }

  void add_call(const Call& call, size_t k) {
    check_writes(call, k);
    ValueIds in;
    for (ValueId id : call.in) in.push_back(name(id));
    const ValueId into = call.into == kNoValue ? kNoValue : name(call.into);
    const Call& copy = graph_->add_call(*call.op, std::move(in), into, call.where);
    for (size_t i = 0; i < call.out.size(); ++i) names_[index(call.out[i])] = copy.out[i];
  }

  /// Only memory of its own may be written by a backward: others run again, and see the forward's.
  void check_writes(const Call& call, size_t k) const {
    for (size_t i = 0; i < call.out.size(); ++i) {
      const ValueId root = joint_.value(call.out[i]).root;
      if (root == call.out[i] || (call.op->traits().alias && call.into == kNoValue)) continue;
      const int32_t maker = makers_[index(root)];
      check(maker >= 0 && part_[static_cast<size_t>(maker)] == k, ErrorKind::Graph,
            "the backward writes what the forward made (", call.op->name(), ")");
    }
  }

  /// What a value of the joint graph is called in the backward that is being built.
  ValueId name(ValueId id) {
    ValueId& known = names_[index(id)];
    if (known != kNoValue) return known;
    const int32_t maker = makers_[index(id)];
    if (maker >= 0) {
      const Call& call = joint_.code[static_cast<size_t>(maker)];
      ensure(static_cast<size_t>(maker) < forward_end_, "split: one backward reads another");
      if (is_view(call)) {
        const ValueId base = name(call.in[0]);
        return names_[index(id)] = graph_->add_call(*call.op, {base}, kNoValue, call.where).out[0];
      }
    } else if (const Capture* capture = capture_of(id)) {
      if (!written_[index(joint_.value(id).root)]) return known = add_capture(*capture);
    }
    return known = add_crossing(id);
  }

  const Capture* capture_of(ValueId id) const {
    const auto found = std::ranges::find(joint_.captures, id, &Capture::value);
    return found == joint_.captures.end() ? nullptr : &*found;
  }

  ValueId add_capture(const Capture& capture) {
    const ValueId id = graph_->add_root(joint_.meta(capture.value));
    graph_->values.back().offset = joint_.value(capture.value).offset;
    graph_->captures.push_back({id, capture.tensor, capture.name});
    return id;
  }

  ValueId add_crossing(ValueId id) {
    size_t& which = crossing_[index(id)];
    const auto input = std::ranges::find(joint_.inputs, id);
    const bool is_input = input != joint_.inputs.end();
    if (which == SIZE_MAX) {
      which = result_.crossing.size();
      const size_t place =
          is_input ? static_cast<size_t>(input - joint_.inputs.begin()) : output_of(id);
      ensure(!is_input || place < num_inputs_, "split: a backward reads a gradient not given");
      result_.crossing.push_back({is_input, place});
    }
    const Meta& meta = joint_.meta(id);
    reads_.emplace_back(graph_->add_root(is_input ? meta : meta.dense()), which);
    return reads_.back().first;
  }

  /// The place of a value among the outputs of the forward.
  size_t output_of(ValueId id) {
    const auto at = static_cast<size_t>(std::ranges::find(outputs_, id) - outputs_.begin());
    if (at == outputs_.size()) outputs_.push_back(id);
    return at;
  }

  const Graph& joint_;
  const size_t num_inputs_;
  GradientGraphs& result_;
  const std::vector<int32_t> makers_;
  const std::vector<bool> written_;
  std::vector<size_t> part_;  // by call
  size_t forward_end_ = 0;
  std::vector<ValueId> outputs_;  // of the forward
  std::vector<size_t> crossing_;  // by value: its place among the crossing ones
  // Of the backward that is being built:
  Graph* graph_ = nullptr;
  std::vector<ValueId> names_;
  std::vector<std::pair<ValueId, size_t>> reads_;
};

}  // namespace

std::string backward_scope(size_t k) {
  std::string out(kBackward);
  if (k > 0) out += text(" of output ", k - 1);
  return out;
}

void split_graph(const Graph& joint, size_t num_inputs, GradientGraphs& result) {
  Splitter(joint, num_inputs, result).run();
}

}  // namespace reprise::detail
