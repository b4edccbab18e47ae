#pragma once
// Graph: a flat list of op calls on typed values. It is what trace (trace.h) returns, what passes
// (passes/) rewrite and what a Program (program.h) runs.
//
// Every value is defined once and never changes: a write into memory defines a new value that lives
// where an old one did. So a value is a tensor as it stood at one moment, and
//   - the first values of a memory are roots: inputs, captures and fresh outputs;
//   - an alias op (view, permute, slice, expand) gives another view of the same moment;
//   - a call `into` a value, or of an op that `writes` inputs, gives the next moment of its memory;
//   - After(x, w) is x read after the write that made w.
// Calls run in the order of the list. A value must not be read once its memory was written again:
// verify (verify.h) proves that, so passes need not think about time unless they move calls.

#include <string>
#include <string_view>
#include <vector>

#include "../core/tensor.h"

namespace reprise {

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;
using ValueIds = SmallVector<ValueId, 4>;

struct Value {
  Meta meta;
  ValueId root = kNoValue;  ///< the first value of the memory in which it lives; itself for a root
  int64_t offset = 0;       ///< of the first element from the start of that memory, in elements
};

/// One op call. `out` holds what the op returns and then, in order, one value for each input that
/// it writes: that input's next moment.
struct Call {
  OpRef op;
  ValueIds in, out;
  ValueId into = kNoValue;  ///< the value over which the op's only output is written
  std::string where = {};   ///< the layer that called: "layer1.conv"; may be empty
};

/// A tensor from outside that the graph reads, and perhaps writes, where it lies.
struct Capture {
  ValueId value;  ///< a root, or another view of an earlier capture's memory
  Tensor tensor;
  std::string name = {};  ///< unique, for printing and saving: "fc.weight", "c0"
};

/// When the graph has run, the memory of `root`, a capture or an input, holds `last`.
struct Update {
  ValueId root, last;
};

struct Graph {
  std::vector<Value> values;
  std::vector<Call> code;
  /// The first so many calls depend on captures alone, which nothing here writes: a Program runs
  /// them once, and again after such a capture was changed from outside.
  int32_t prologue = 0;
  std::vector<ValueId> inputs, outputs;
  std::vector<Capture> captures;
  std::vector<Update> updates;

  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  const Meta& meta(ValueId id) const { return value(id).meta; }
  /// A fresh root of that meta.
  ValueId add_root(const Meta& meta);
  /// A value in the memory of `in_memory_of`, from element `offset` on.
  ValueId add_view(ValueId in_memory_of, const Meta& meta, int64_t offset);
  /// Appends a call of `op`, with outputs inferred, to `code`; `in` exist. The errors of infer.
  const Call& add_call(const OpBase& op, ValueIds in, ValueId into = kNoValue,
                       std::string where = {});
  /// The same call, not appended: passes put it where it belongs.
  Call make_call(const OpBase& op, ValueIds in, ValueId into = kNoValue, std::string where = {});
};

/// Where the alias op, or the op in place, puts output `k`: an operand of `call`; kNoValue for
/// fresh memory.
REPRISE_API ValueId memory_of_output(const Call& call, size_t k);
/// How many outputs the op itself returns: those before the moments of written inputs.
REPRISE_API size_t returned_outputs(const Call& call);

/// Where it runs: where its operands lie, for a copy between devices the GPU that takes part.
REPRISE_API Device device_of(const Graph& graph, const Call& call);

/// Whether a value is all of the memory it lives in, in any order of elements.
REPRISE_API bool covers_memory(const Graph& graph, ValueId id);

/// (x, written) -> x, read after the write that made `written`. Only graphs hold it.
struct After {
  static constexpr std::string_view name = "after";
  static constexpr bool alias = true;
  Metas infer(std::span<const Meta> in) const;
};

/// Which calls read each value: for every value the indices into `code`, ascending. Outputs and
/// updates count as reads by call `code.size()`.
class REPRISE_API Uses {
 public:
  explicit Uses(const Graph& graph);
  std::span<const int32_t> of(ValueId id) const;

 private:
  std::vector<int32_t> first_, calls_;
};

/// The call that defines each value, as an index into `code`; -1 for inputs and captures.
REPRISE_API std::vector<int32_t> definitions(const Graph& graph);

/// One line per input, capture and call, then outputs and updates; parse (text.h) reads it back:
///   %5 = conv2d(%0, %w1, %b1) {padding=[1, 1]} : float32[32, 64, 9, 9]
REPRISE_API std::string to_string(const Graph& graph);
/// Equal but for the numbers of values, for the data of captures and for `where`.
REPRISE_API bool operator==(const Graph& a, const Graph& b);

}  // namespace reprise
