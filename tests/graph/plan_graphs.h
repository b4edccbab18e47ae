#pragma once
// Graphs for tests of plans, built by hand and at random. Their ops have no kernels: a plan is
// about memory only.

#include <random>

#include "../../core/model.h"
#include "../../core/ops/elementwise.h"
#include "../../core/ops/view.h"
#include "../../graph/verify.h"

namespace reprise::test {

/// Any inputs -> fresh tensors of these sizes, by a kernel that needs scratch bytes.
struct Make {
  Shape sizes;
  int64_t scratch = 0;
  static constexpr std::string_view name = "make";
  Metas infer(std::span<const Meta>) const {
    Metas out;
    for (int64_t size : sizes) out.push_back(Meta({size}, float32));
    return out;
  }
  size_t workspace(std::span<const Meta>, Device) const { return static_cast<size_t>(scratch); }
};

/// Writes its first input; what it returns, one tensor like it, is fresh.
struct Step {
  static constexpr std::string_view name = "step";
  static constexpr unsigned writes = 0b1;
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, float32)}; }
};

/// The same shape in and out, may lie over its first input only.
struct OverFirst {
  static constexpr std::string_view name = "over_first";
  static constexpr unsigned overwrites = 0b1;
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, float32)}; }
};

struct Built {
  Graph graph;

  ValueId input(const Shape& shape) {
    graph.inputs.push_back(graph.add_root(Meta(shape, float32)));
    return graph.inputs.back();
  }
  ValueId capture(const Shape& shape) {
    const ValueId id = graph.add_root(Meta(shape, float32));
    graph.captures.push_back({id, {}, text("c", graph.captures.size())});
    return id;
  }
  template <Op T>
  ValueIds calls(const T& op, ValueIds in, ValueId into = kNoValue) {
    return graph.add_call(Model<T>(op), std::move(in), into).out;
  }
  template <Op T>
  ValueId call(const T& op, ValueIds in, ValueId into = kNoValue) {
    return calls(op, std::move(in), into)[0];
  }
  /// A fresh [size], read from nothing that matters here.
  ValueId make(int64_t size, ValueIds in = {}, int64_t scratch = 0) {
    return call(Make{{size}, scratch}, std::move(in));
  }
};

/// Random graphs that verify accepts: a prologue, views, writes in place, several and unused
/// outputs, inputs and captures returned, duplicates, updates.
class RandomGraph {
 public:
  RandomGraph(uint32_t seed, int calls) : random_(seed), calls_(calls) {}

  Graph build() {
    for (int k = pick(1, 3); k-- > 0;) define(built_.capture({4, size()}));
    for (int i = pick(0, 3) == 0 ? calls_ / 4 : 0; i-- > 0;) add_call(false);
    graph().prologue = static_cast<int32_t>(graph().code.size());
    fixed_ = static_cast<ValueId>(graph().values.size());
    for (int k = pick(1, 3); k-- > 0;) define(built_.input({4, size()}));
    while (static_cast<int>(graph().code.size()) < calls_) add_call(true);
    for (int k = pick(0, 4); k-- > 0;) graph().outputs.push_back(any());
    finish_updates();
    verify(graph());
    return std::move(built_.graph);
  }

 private:
  Graph& graph() { return built_.graph; }
  int pick(int low, int high) { return std::uniform_int_distribution(low, high)(random_); }
  int64_t size() { return pick(0, 3) == 0 ? pick(0, 300) : 64; }

  void define(ValueId id) { readable_.push_back(id); }

  ValueId any() {  // rather a recent one
    const int n = static_cast<int>(readable_.size());
    const int from = pick(0, 2) == 0 ? 0 : std::max(0, n - 8);
    return readable_[static_cast<size_t>(pick(from, n - 1))];
  }

  /// A new moment of a memory: its older values can be read no more.
  void written(ValueId moment) {
    const ValueId root = graph().value(moment).root;
    std::erase_if(readable_, [&](ValueId id) { return graph().value(id).root == root; });
    define(moment);
  }

  bool has_places_of_its_own(ValueId id) {
    const Meta& meta = graph().meta(id);
    for (size_t d = 0; d < meta.shape.size(); ++d) {
      if (meta.strides[d] == 0 && meta.shape[d] > 1) return false;
    }
    return true;
  }

  void add_call(bool main_part) {
    const ValueId x = any();
    const ValueId root = graph().value(x).root;
    const bool prologue_needs_it = root < fixed_ && built_.graph.prologue > 0;
    const bool writable = main_part && !prologue_needs_it && has_places_of_its_own(x);
    switch (pick(0, 7)) {
      case 0: return add_view(x);
      case 1: return add_make(x);
      case 2: return writable ? write_into(x) : define(built_.call(Exp{}, {x}));
      case 3: return writable ? write_first(x) : define(built_.call(OverFirst{}, {x, any()}));
      case 4: return writable ? write_part(x) : define(built_.call(Tanh{}, {x}));
      default: return add_elementwise(x);
    }
  }

  void add_view(ValueId x) {
    const Shape& shape = graph().meta(x).shape;
    const int64_t rows = shape[0];
    if (pick(0, 1) == 0 && shape.dim() == 2) return define(built_.call(Permute{{1, 0}}, {x}));
    if (rows < 2) return define(built_.call(Neg{}, {x}));
    define(built_.call(StridedSlice{0, pick(0, 1), rows / 2, pick(1, 2)}, {x}));
  }

  void add_make(ValueId x) {
    Shape sizes;
    for (int k = pick(1, 3); k-- > 0;) sizes.push_back(size());
    for (ValueId id : built_.calls(Make{sizes, pick(0, 2) * 500}, {x, any()})) define(id);
  }

  void add_elementwise(ValueId x) {
    ValueId y = any();
    for (int tries = 0; tries < 5 && graph().meta(y).shape != graph().meta(x).shape; ++tries) {
      y = any();
    }
    const bool same = graph().meta(y).shape == graph().meta(x).shape;
    define(same ? built_.call(Add{}, {x, y}) : built_.call(Relu{}, {x}));
  }

  void write_into(ValueId x) {
    const ValueId y = any();
    const bool other = graph().meta(y).shape == graph().meta(x).shape &&
                       graph().value(y).root != graph().value(x).root;
    written(built_.call(Relu{}, {other ? y : x}, x));
  }

  void write_first(ValueId x) {
    const ValueIds out = built_.calls(Step{}, {x});
    define(out[0]);
    written(out[1]);
  }

  /// A view is written, and the whole is read after that.
  void write_part(ValueId x) {
    if (graph().meta(x).shape[0] < 2) return write_into(x);
    const ValueId part = built_.call(StridedSlice{0, 1, 1, 1}, {x});
    const ValueId moment = built_.call(Neg{}, {part}, part);
    written(moment);
    define(built_.call(After{}, {x, moment}));
  }

  /// The memory of inputs and captures that were written has its last moment as an update.
  void finish_updates() {
    std::vector<ValueId> last(graph().values.size(), kNoValue);
    for (const Call& call : graph().code) {
      for (size_t k = 0; k < call.out.size(); ++k) {
        const bool moment = !call.op->traits().alias && memory_of_output(call, k) != kNoValue;
        const ValueId id = call.out[k];
        if (moment) last[static_cast<size_t>(graph().value(id).root)] = id;
      }
    }
    const auto update = [&](ValueId root) {
      const ValueId moment = last[static_cast<size_t>(root)];
      if (moment != kNoValue) graph().updates.push_back({root, moment});
    };
    for (ValueId id : graph().inputs) update(id);
    for (const Capture& capture : graph().captures) update(capture.value);
  }

  std::mt19937 random_;
  int calls_;
  Built built_;
  std::vector<ValueId> readable_;  // values of the latest moment of their memory
  ValueId fixed_ = 0;              // values before this one must not be written
};

}  // namespace reprise::test
