#pragma once
// What a program is made of once it is bound: steps whose operands are addresses, ports that take
// the addresses of a run.

#include <unordered_set>

#include "arena.h"
#include "cuda_replay.h"
#include "memory_check.h"
#include "program.h"

namespace reprise {
struct RandomBlocks;
}

namespace reprise::detail {

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
  ~ProgramState() { arena->settle(); }  // what the GPU still uses is freed behind it
  ProgramState(const ProgramState&) = delete;

  /// Fresh outputs need no checks.
  void run(std::span<const Tensor> in, std::span<const Tensor> out, bool fresh);
  Tensors bind_inputs(std::span<const Tensor> in);
  void check_outputs(std::span<const Tensor> out) const;
  void check_overlaps(std::span<const Tensor> in, std::span<const Tensor> out);

  /// As Program::replay says.
  std::string how_it_runs() const;

  std::shared_ptr<const Compiled> compiled;
  std::unique_ptr<CudaReplay> replay;  // where values lie on a GPU
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
  void add_random(const RandomBlocks& op, ValueId out, int32_t call);
  void add_copy(size_t output);
  std::span<View> take_views(size_t count);
  /// Empty outside of any.
  const std::string& layer_of(const BoundCall& step) const;
  void run_prologue(MemoryCheck* checks);
  void run_steps(std::span<const BoundCall> list);
  void run_main();
  void run_checked(const std::vector<BoundCall>& list, MemoryCheck& checks);
};

}  // namespace reprise::detail
