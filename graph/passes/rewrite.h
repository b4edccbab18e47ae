#pragma once
// Rewriter: a graph rewritten in one walk over its calls. A pass looks at one call after another,
// with operands that are final already, and puts another value or call in its place. Calls that
// this leaves without readers are dropped. A fusion is a rule of a few lines:
//
//   bool conv_relu(Rewriter& r, const Call& call) {
//     const Call* conv = r.read_only_here<Conv2d>(call.in[0]);
//     return conv != nullptr &&
//            r.replace(call, ConvRelu{*as<Conv2d>(*conv->op)}, conv->in);
//   }
//   constexpr std::array kRules{Rule{"conv_relu", Relu::name, conv_relu}};
//   Graph fuse_conv(Graph g) { return rewrite(std::move(g), kRules); }

#include <deque>
#include <limits>

#include "../../core/model.h"
#include "../graph.h"

namespace reprise::passes {

/// The index of a call that there is not.
inline constexpr int32_t kNever = std::numeric_limits<int32_t>::max();

class Rewriter {
 public:
  explicit Rewriter(Graph graph);

  /// The call to look at next; null at the end. It is gone when `next` is called again.
  const Call* next();
  /// The graph as rewritten, without dead calls, its values numbered anew. After the last `next`.
  Graph finish();

  // What a rule asks.

  const Value& value(ValueId id) const { return graph_.value(id); }
  const Meta& meta(ValueId id) const { return graph_.meta(id); }
  /// The call that makes a value; null for inputs and captures.
  const Call* maker(ValueId id) const;
  /// The call of T that makes a value, or null.
  template <Op T>
  const Call* made_by(ValueId id) const {
    const Call* call = maker(id);
    return call != nullptr && as<T>(*call->op) != nullptr ? call : nullptr;
  }
  /// The same, when nothing but one operand of one call reads that value.
  template <Op T>
  const Call* read_only_here(ValueId id) const {
    return reads(id) == 1 ? made_by<T>(id) : nullptr;
  }
  /// How many operands, outputs and updates a value is.
  int32_t reads(ValueId id) const { return reads_[index(id)]; }
  /// Whether it was not dropped, and no call before the visited one writes its memory.
  bool readable(ValueId id) const { return end(id) >= at_ && made_at_[index(id)] != kDropped; }
  /// Whether its memory is written after this value.
  bool overwritten(ValueId id) const { return end(id) != kNever; }
  /// Whether it came with the graph and depends on captures alone, which nothing writes.
  bool constant(ValueId id) const { return constant_[index(id)]; }
  /// Whether all that read an output of the visited call, or a value that none before it read, take
  /// any strides, with the same bits.
  bool any_layout(ValueId id) const;

  // What a rule does. Calls are added before the visited one.

  template <Op T>
  ValueId add(const T& op, ValueIds in) {
    return add(static_cast<const OpBase&>(Model<T>(op)), std::move(in));
  }
  ValueId add(const OpBase& op, ValueIds in);
  /// Lets `by` stand for `out` of the visited call. False, and nothing is done, when their metas
  /// differ in more than a layout that matters to nobody, or when a later write would tell the two
  /// memories apart.
  bool replace(ValueId out, ValueId by);
  /// The same for all outputs, or none.
  bool replace(const Call& call, std::span<const ValueId> by);
  /// Lets a call of `op` stand for the visited one, output by output. False, and nothing is done,
  /// when an operand is not readable any more or an output does not fit.
  /// Further outputs stand for values `earlier`, made before, that only calls from the visited one
  /// on read.
  template <Op T>
  bool replace(const Call& call, const T& op, ValueIds in, std::span<const ValueId> earlier = {}) {
    return replace(call, static_cast<const OpBase&>(Model<T>(op)), std::move(in), earlier);
  }
  bool replace(const Call& call, const OpBase& op, ValueIds in,
               std::span<const ValueId> earlier = {});
  /// Lets the call that makes `id`, which the visited call alone reads, do its work too: it becomes
  /// one of `op`, with `more` operands, where it stands, and `id` stands for the output of the
  /// visited call. False, and nothing is done, when an operand is made later or metas do not fit.
  template <Op T>
  bool extend(const Call& call, ValueId id, const T& op, const ValueIds& more) {
    return extend(call, id, static_cast<const OpBase&>(Model<T>(op)), more);
  }
  bool extend(const Call& call, ValueId id, const OpBase& op, const ValueIds& more);

 private:
  static constexpr int32_t kOutside = -1, kDropped = -2;

  static size_t index(ValueId id) { return static_cast<size_t>(id); }
  int32_t end(ValueId id) const { return ends_[index(id)]; }
  ValueId resolve(ValueId id) const { return stands_for_[index(id)]; }
  bool replace(std::span<const ValueId> out, std::span<const ValueId> by);
  bool fits(ValueId out, ValueId by) const;
  bool unread_so_far(ValueId id) const;
  bool can_extend(const Call& maker, const OpBase& op, const ValueIds& more) const;
  void rename(ValueId out, ValueId by);
  void place_outputs(const Call& call);
  void insert(Call call);
  void settle();
  bool is_dead(const Call& call) const;
  void release(Call& call);

  Graph graph_;  // its values grow; its code is what is left to visit
  Uses uses_;    // of the graph as it came
  size_t came_;  // with so many values
  std::vector<bool> constant_;
  std::deque<Call> done_;  // calls keep their addresses; one without an op was dropped
  Call visited_;
  int32_t at_ = -1;       // index of the visited call
  int32_t prologue_ = 0;  // calls in done_ that stand in the prologue
  // By value:
  std::vector<ValueId> stands_for_;
  std::vector<int32_t> reads_;
  std::vector<int32_t> made_at_;  // index into done_, or one of the above
  std::vector<int32_t> ends_;     // index of the first call that writes its memory afterwards
};

/// One way to rewrite calls of the op named `op`, or of any op when empty. Sees pure calls alone.
struct Rule {
  std::string_view name, op;
  bool (*apply)(Rewriter& r, const Call& call);  ///< whether it replaced the call
};

/// Visits every call with the rules for its op, in order, until one replaces it.
Graph rewrite(Graph graph, std::span<const Rule> rules);

/// Whether output k of a call is a later moment of an operand's memory.
bool is_write(const Call& call, size_t k);

/// Whether all a call does is to return values: it writes no operand, draws no numbers.
bool is_pure(const Call& call);

/// An op that computes each element of its result from those at the same place, in any layout.
bool is_elementwise(const OpBase& op);

/// SgdStep or AdamStep.
bool is_optimizer_step(const OpBase& op);

/// For every value the index of the first call that writes its memory once it is made, or kNever.
std::vector<int32_t> first_writes_after(const Graph& graph);

/// For every value whether it can be made ahead of all runs: it depends on captures alone, which
/// nothing writes, and is not returned, for then each run makes one.
std::vector<bool> constant_values(const Graph& graph);

/// For every value that is a root: whether a call writes its memory.
std::vector<bool> written_memories(const Graph& graph);

/// The same graph with values numbered in the order in which they appear.
Graph renumber(Graph graph);

}  // namespace reprise::passes
