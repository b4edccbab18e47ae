#pragma once
// What a program is made of once it is bound: steps whose operands are addresses, ports that take
// the addresses of a run.

#include <atomic>
#include <unordered_set>

#include "../core/allocator.h"
#include "memory_check.h"
#include "program.h"

namespace reprise::detail {

struct Arena {
  explicit Arena(int64_t size) : bytes(static_cast<size_t>(size)), data(allocate(bytes)) {}
  ~Arena() { deallocate(data, bytes); }
  Arena(const Arena&) = delete;
  std::byte* at(int64_t offset) const { return static_cast<std::byte*>(data) + offset; }

  size_t bytes;
  void* data;
  std::atomic_flag running;
  const void* last_user = nullptr;  // the state whose values lie here
};

/// One op call with its operands resolved.
struct BoundCall {
  OpRef op;
  Launch launch;
  int32_t call;  // index into the code; its size for the copy of an output
};

/// A view whose address is that of an input or output of the run.
struct Patch {
  View* view;
  int64_t bytes;
};

/// An input or output: what it must be, and who looks at it.
struct Port {
  Meta meta;
  std::vector<Patch> patches;
  void* bound = nullptr;
  bool written = false;

  void bind(void* data) {
    if (data == bound) return;
    for (const Patch& p : patches) p.view->data = static_cast<std::byte*>(data) + p.bytes;
    bound = data;
  }
};

/// Bytes from the first to behind the last.
struct Range {
  const std::byte *begin, *end;
  bool meets(const Range& other) const { return begin < other.end && other.begin < end; }
};

/// What a program and its clones share.
struct Compiled {
  Graph graph;
  Plan plan;
  bool check_memory = false;
  /// Held by the clone that runs, when they all update the same captures.
  mutable std::atomic_flag updating;
};

/// Where a port of this run lies; outputs are numbered after inputs.
struct Place {
  Range range;
  size_t port;
  bool written;
};

/// The memory of a capture.
struct CapturedMemory {
  Range range;
  ValueId root;
  bool written;
};

/// Metas by their values.
struct MetaHash {
  size_t operator()(const Meta* meta) const;
};
struct SameMeta {
  bool operator()(const Meta* a, const Meta* b) const { return *a == *b; }
};

struct ProgramState {
  /// Makes an arena when it gets none.
  explicit ProgramState(std::shared_ptr<const Compiled> shared,
                        std::shared_ptr<Arena> arena = nullptr);

  /// Fresh outputs need no checks.
  void run(std::span<const Tensor> in, std::span<const Tensor> out, bool fresh);
  Tensors bind_inputs(std::span<const Tensor> in);
  void check_outputs(std::span<const Tensor> out) const;
  void check_overlaps(std::span<const Tensor> in, std::span<const Tensor> out);

  std::shared_ptr<const Compiled> compiled;
  std::shared_ptr<Arena> arena;
  std::vector<View> views;
  /// Of equal metas all views use one, so that a run reads little memory besides the values.
  std::unordered_set<const Meta*, MetaHash, SameMeta> metas;
  std::vector<BoundCall> prologue, steps;
  std::vector<Port> inputs, outputs;
  std::vector<std::pair<Ref<Storage>, uint32_t>> watched;  // what the prologue read, and when
  std::vector<Ref<Storage>> updated;
  std::vector<CapturedMemory> captured;  // by address
  bool stale = true, writes = false;     // inputs or captures
  std::vector<Place> places;             // room for check_overlaps

 private:
  std::string name_of(const Place& place) const;
  [[noreturn]] void fail_overlap(const Place& a, const Place& b) const;
  void check_captures(const Place& place) const;
  void build();
  View resolve(ValueId id, View& place);
  void add_step(const OpRef& op, std::span<const ValueId> in, std::span<const ValueId> out,
                int32_t call);
  void add_copy(size_t output);
  std::span<View> take_views(size_t count);
  void run_prologue(MemoryCheck* checks);
  void run_steps(const std::vector<BoundCall>& list);
  void run_checked(const std::vector<BoundCall>& list, MemoryCheck& checks);
};

}  // namespace reprise::detail
