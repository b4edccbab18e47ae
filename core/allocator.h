#pragma once
// CPU memory that is kept and reused: a fresh page costs far more than the work done on it.

#include <cstddef>
#include <cstdint>

#include "error.h"

namespace reprise {

/// At least `bytes` bytes, 64-byte aligned, uninitialized; nullptr for none. Blocks of 2 MiB and
/// more are aligned to 2 MiB and ask for huge pages. OutOfMemory error, after the cache was given
/// up.
REPRISE_API void* allocate(size_t bytes);

/// f(), which asks for memory; when there is none, the error says that `op` asked.
template <class F>
auto with_memory_for(std::string_view op, F f) {
  try {
    return f();
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::OutOfMemory) throw;
    fail(error.kind(), op, ": ", error.what());
  }
}

/// Gives back what `allocate(bytes)` returned, with the same `bytes`; nullptr is fine.
REPRISE_API void deallocate(void* block, size_t bytes) noexcept;

struct MemoryStats {
  int64_t in_use;       ///< bytes asked for and not yet given back
  int64_t peak;         ///< the most `in_use` has been since the start or reset_peak_memory_stats
  int64_t reserved;     ///< bytes taken from the system: blocks in use and blocks kept for reuse
  int64_t allocations;  ///< calls of `allocate` since the start that returned a block
};

REPRISE_API MemoryStats memory_stats() noexcept;

/// Starts the peak anew from what is in use now.
REPRISE_API void reset_peak_memory_stats() noexcept;

/// Gives all blocks kept for reuse back to the system.
REPRISE_API void empty_cache() noexcept;

}  // namespace reprise
