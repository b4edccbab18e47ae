#pragma once
// What the tape is made of: a Leaf for a tensor that the user made, a Node for an op call. Each is
// the history of its tensors, and a Node owns the histories of its inputs. No one else looks
// inside.

#include <functional>
#include <mutex>
#include <vector>

#include "../core/scope.h"
#include "../core/tensor.h"

namespace reprise {

/// Runs when the gradient of output `output` is known; a defined result replaces it.
struct GradHook {
  uint32_t output;
  std::function<Tensor(const Tensor&)> run;
};

struct Record : History {
  explicit Record(bool leaf) : is_leaf(leaf) {}

  Record* next_dead = nullptr;  ///< the list of those that wait for destruction
  const bool is_leaf;
  bool requires_grad = true;
  std::vector<GradHook> hooks;
};

/// The record of a tensor, or null.
inline Record* record_of(const TensorImpl& t) { return static_cast<Record*>(t.history.get()); }
inline bool tracked(const TensorImpl& t) {
  const Record* record = record_of(t);
  return record != nullptr && record->requires_grad;
}

struct Leaf final : Record {
  explicit Leaf(const TensorImpl& tensor) : Record(true), owner(&tensor) {}
  /// Without its tensor nobody can ask for the gradient, which may own this leaf through its
  /// history.
  void tensor_died(const TensorImpl& tensor) noexcept override;

  const TensorImpl* owner;  ///< null once it has died; guarded by the mutex
  Tensor grad;
  std::mutex mutex;  ///< of grad: several threads may train on shared parameters
};

/// A tensor as a node remembers it: always its meta, its data when saved, and where it came from.
struct Operand {
  Operand(const TensorImpl& t, bool save);

  bool saved() const { return static_cast<bool>(storage); }
  bool changed() const { return saved() && storage->version() != version; }
  Record* record() const { return static_cast<Record*>(history.get()); }
  bool needs_grad() const { return history && record()->requires_grad; }
  /// The tensor again, with `source` as its history while gradients are recorded. Without its data
  /// when that was not saved or was changed since: what is computed from it has no data either.
  Tensor unpack(const Ref<History>& source) const;

  Meta meta;
  Ref<Storage> storage;  ///< null unless saved
  int64_t offset;
  uint32_t version = 0;
  uint32_t output_index;  ///< of `history`
  Ref<History> history;   ///< of inputs only: an output's would be a cycle
};

struct Node : Record {
  explicit Node(OpRef op);

  virtual std::string_view name() const { return op->name(); }
  virtual Tensors vjp(const Vjp& v) { return op->vjp(v); }
  /// Gives the saved data back; the node cannot run again.
  virtual void free_saved();
  /// Calls `visit` with every operand that is saved.
  virtual void visit_saved(const std::function<void(const Operand&)>& visit) const;

  const OpRef op;                            ///< null for a custom function
  const Ref<const detail::ScopePath> scope;  ///< the layer of the call; null outside of any
  const uint64_t sequence;
  bool released = false;
  bool in_place = false;
  uint32_t recorded_writes = 0;  ///< of the storage, when this node made a view of it
  SmallVector<Operand, 2> in;
  SmallVector<Operand, 1> out;
};

/// Whether gradients are on and one of the inputs is tracked, all of them with data.
bool records(std::span<const Tensor> in);
/// Autograd error when `t` is a view made before a recorded write to its base: its history does not
/// know where its values came from.
void check_view(std::string_view caller, const TensorImpl& t);
/// Ties `node` to its inputs and saves those in `save`. The error of check_view.
void take_inputs(Node& node, std::span<const Tensor> in, unsigned save);
/// Makes `node` the history of its floating outputs and saves those in `save`.
void give_outputs(Node& node, std::span<const Tensor> out, unsigned save);

inline bool has_bit(unsigned mask, size_t i) { return i < 32 && (mask >> i & 1u) != 0; }

}  // namespace reprise
