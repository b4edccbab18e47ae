#pragma once
// The memory of a program's intermediate values, a block on each device of its plan. On a GPU what
// one run queued may still use it when the next one is queued, perhaps on another stream.

#include <atomic>
#include <memory>

#include "../core/cuda.h"
#include "../core/storage.h"
#include "plan.h"

namespace reprise::detail {

/// Memory that any stream may use from now on; a GPU's is freed in the order of its default stream.
Ref<Storage> lasting_memory(size_t bytes, Device device);

class Arena {
 public:
  explicit Arena(const std::vector<ArenaPart>& parts);
  ~Arena();
  Arena(const Arena&) = delete;

  /// Where that offset of the plan lies.
  std::byte* at(int64_t offset) const;
  /// The current streams of its GPUs wait for the last run.
  void acquire();
  /// All that a run queued on them is queued.
  void release() noexcept;
  /// The default streams, in whose order memory is freed, wait for the last run.
  void settle() noexcept;

  std::atomic_flag running;
  const void* last_user = nullptr;  // the state whose values lie here

 private:
  struct Block {
    ArenaPart part;
    Ref<Storage> memory;
    cuda::Event last_run{};  // on a GPU, and the stream on which that was
    void* stream = nullptr;
  };
  std::vector<Block> blocks_;
};

}  // namespace reprise::detail
