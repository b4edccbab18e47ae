// Freed blocks are kept in one list per size class and handed out again. Classes lie at powers of
// two and three even steps between them, so little of a block is wasted. The list runs through the
// blocks themselves. One spin lock guards all; the system is called while it is free.

#include "allocator.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <string>
#include <utility>

#include "error.h"
#include "poison.h"
#include "spin_lock.h"

namespace reprise {
namespace {

constexpr size_t kUnit = 64, kHugePage = size_t{2} << 20;
constexpr size_t kLargest = size_t{1} << 47;  // no more fits in an address space
constexpr int64_t kSpare = int64_t{64} << 20;

/// Classes in units: 1 2 3 4  5 6 7 8  10 12 14 16  20 24 28 32 ...
constexpr size_t class_of(size_t bytes) {
  const size_t last = (bytes - 1) / kUnit;
  const int shift = std::max(0, static_cast<int>(std::bit_width(last)) - 3);
  return 4 * static_cast<size_t>(shift) + (last >> shift);
}

constexpr size_t class_bytes(size_t index) {
  const size_t shift = std::max<size_t>(index / 4, 1) - 1;
  return ((index - 4 * shift + 1) << shift) * kUnit;
}

constexpr size_t kClasses = class_of(kLargest) + 1;

struct FreeBlock {
  FreeBlock* next;
};

using FreeLists = std::array<FreeBlock*, kClasses>;

struct Cache {
  SpinLock lock;
  FreeLists free{};
  MemoryStats stats{};
  int64_t highest = 0;  // the peak that is never reset
};

constinit Cache cache;  // nothing to construct or destroy: tensors may outlive any order of exit

/// A child must not inherit a lock that another thread of its parent held.
[[maybe_unused]] const int at_fork = pthread_atfork(
    [] { cache.lock.lock(); }, [] { cache.lock.unlock(); }, [] { cache.lock.unlock(); });

void count(size_t bytes) {
  MemoryStats& stats = cache.stats;
  stats.in_use += static_cast<int64_t>(bytes);
  stats.peak = std::max(stats.peak, stats.in_use);
  cache.highest = std::max(cache.highest, stats.in_use);
  ++stats.allocations;
}

/// A kept block, or null.
void* take(size_t index, size_t bytes) {
  std::lock_guard lock(cache.lock);
  FreeBlock* block = cache.free[index];
  if (!block) return nullptr;
  unpoison(block, sizeof *block);
  cache.free[index] = block->next;
  count(bytes);
  return block;
}

void* system_block(size_t bytes) {
  const bool large = bytes >= kHugePage;
  void* block = nullptr;
  if (posix_memalign(&block, large ? kHugePage : kUnit, bytes) != 0) return nullptr;
  if (large) madvise(block, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
  never_a_leak(block);
  return block;
}

/// Sizes that change from call to call must not pile up blocks that nobody asks for again.
bool cache_outgrows(size_t bytes) {
  std::lock_guard lock(cache.lock);
  return cache.stats.reserved + static_cast<int64_t>(bytes) > 2 * cache.highest + kSpare;
}

[[noreturn]] void out_of_memory(size_t bytes) {
  fail(ErrorKind::OutOfMemory, "out of memory: asked for ", std::to_string(bytes),
       " bytes of CPU memory while ", memory_stats().in_use, " are in use");
}

void* fresh(size_t index, size_t bytes) {
  const size_t size = class_bytes(index);
  if (cache_outgrows(size)) empty_cache();
  void* block = system_block(size);
  if (!block) {
    empty_cache();
    block = system_block(size);
  }
  if (!block) out_of_memory(bytes);
  std::lock_guard lock(cache.lock);
  cache.stats.reserved += static_cast<int64_t>(size);
  count(bytes);
  return block;
}

/// Returns the number of blocks in the list.
int64_t free_all(FreeBlock* block) {
  int64_t blocks = 0;
  for (; block; ++blocks) {
    unpoison(block, sizeof *block);
    std::free(std::exchange(block, block->next));
  }
  return blocks;
}

}  // namespace

void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > kLargest) out_of_memory(bytes);
  const size_t index = class_of(bytes);
  void* block = take(index, bytes);
  if (!block) block = fresh(index, bytes);
  poison(block, class_bytes(index));
  unpoison(block, bytes);
  return block;
}

void deallocate(void* block, size_t bytes) noexcept {
  if (!block) return;
  const size_t index = class_of(bytes);
  unpoison(block, sizeof(FreeBlock));
  std::lock_guard lock(cache.lock);
  cache.free[index] = new (block) FreeBlock{cache.free[index]};
  poison(block, class_bytes(index));
  cache.stats.in_use -= static_cast<int64_t>(bytes);
}

MemoryStats memory_stats() noexcept {
  std::lock_guard lock(cache.lock);
  return cache.stats;
}

void reset_peak_memory_stats() noexcept {
  std::lock_guard lock(cache.lock);
  cache.stats.peak = cache.stats.in_use;
}

void empty_cache() noexcept {
  FreeLists kept{};
  {
    std::lock_guard lock(cache.lock);
    std::swap(kept, cache.free);
  }
  int64_t bytes = 0;
  for (size_t index = 0; index < kClasses; ++index) {
    bytes += free_all(kept[index]) * static_cast<int64_t>(class_bytes(index));
  }
  std::lock_guard lock(cache.lock);
  cache.stats.reserved -= bytes;
}

}  // namespace reprise
