#include "../../core/allocator.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../../core/error.h"
#include "../../core/poison.h"

#if defined(__SANITIZE_THREAD__)
#define REPRISE_TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define REPRISE_TSAN
#endif
#endif

namespace reprise {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

bool aligned(const void* block, size_t alignment) {
  return reinterpret_cast<uintptr_t>(block) % alignment == 0;
}

int64_t signed_bytes(size_t bytes) { return static_cast<int64_t>(bytes); }

TEST(Allocator, BlocksAreAlignedAndWritable) {
  for (size_t bytes = 1; bytes < 10 * kMiB; bytes += bytes / 3 + 1) {
    void* block = allocate(bytes);
    std::memset(block, 1, bytes);
    EXPECT_TRUE(aligned(block, bytes >= 2 * kMiB ? 2 * kMiB : 64)) << bytes;
    deallocate(block, bytes);
  }
}

TEST(Allocator, LiveBlocksDoNotOverlap) {
  std::mt19937 random(1);
  std::vector<std::pair<unsigned char*, size_t>> live;
  for (int step = 0; step < 5000; ++step) {
    const size_t slot = random() % 100;
    if (slot < live.size()) {
      const auto [block, bytes] = live[slot];
      const auto mark = static_cast<unsigned char>(bytes);
      EXPECT_TRUE(block[0] == mark && block[bytes / 2] == mark && block[bytes - 1] == mark);
      deallocate(block, bytes);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(slot));
    } else {
      const size_t bytes = 1 + random() % (size_t{1} << (random() % 18));
      live.emplace_back(static_cast<unsigned char*>(allocate(bytes)), bytes);
      std::memset(live.back().first, static_cast<int>(bytes & 255), bytes);
    }
  }
  for (const auto& [block, bytes] : live) deallocate(block, bytes);
}

TEST(Allocator, NothingIsNull) {
  const MemoryStats before = memory_stats();
  EXPECT_EQ(allocate(0), nullptr);
  deallocate(nullptr, 0);
  EXPECT_EQ(memory_stats().allocations, before.allocations);
}

TEST(Allocator, FreedBlocksAreReused) {
  for (const size_t bytes : {size_t{1}, size_t{64}, size_t{1000}, 3 * kMiB}) {
    void* first = allocate(bytes);
    deallocate(first, bytes);
    const int64_t reserved = memory_stats().reserved;
    void* second = allocate(bytes);
    EXPECT_EQ(first, second);
    EXPECT_EQ(memory_stats().reserved, reserved);
    deallocate(second, bytes);
  }
}

TEST(Allocator, CountsBytes) {
  empty_cache();
  reset_peak_memory_stats();
  const MemoryStats before = memory_stats();
  void* a = allocate(1000);
  void* b = allocate(3 * kMiB + 5);
  const int64_t asked = signed_bytes(1000 + 3 * kMiB + 5);
  EXPECT_EQ(memory_stats().in_use - before.in_use, asked);
  EXPECT_GE(memory_stats().reserved - before.reserved, asked);
  EXPECT_LE(memory_stats().reserved - before.reserved, asked * 5 / 4);
  deallocate(b, 3 * kMiB + 5);
  deallocate(a, 1000);
  const MemoryStats after = memory_stats();
  EXPECT_EQ(after.in_use, before.in_use);
  EXPECT_EQ(after.peak - before.in_use, asked);
  EXPECT_EQ(after.allocations - before.allocations, 2);
  reset_peak_memory_stats();
  EXPECT_EQ(memory_stats().peak, before.in_use);
}

TEST(Allocator, EmptyCacheKeepsWhatIsInUse) {
  empty_cache();
  const int64_t before = memory_stats().reserved;
  void* kept = allocate(500);
  deallocate(allocate(kMiB), kMiB);
  EXPECT_GE(memory_stats().reserved - before, signed_bytes(kMiB));
  empty_cache();
  EXPECT_EQ(memory_stats().reserved - before, 512);
  std::memset(kept, 0, 500);
  deallocate(kept, 500);
}

TEST(Allocator, ChangingSizesDoNotPileUp) {
  for (size_t bytes = 16 * kMiB; bytes < 400 * kMiB; bytes += 7 * kMiB) {
    deallocate(allocate(bytes), bytes);
  }
  EXPECT_LE(memory_stats().reserved, signed_bytes(2 * 400 * kMiB + 64 * kMiB));
  empty_cache();
}

TEST(Allocator, RefusesImpossibleSizes) {
  for (const size_t bytes : {size_t{1} << 62, size_t{1} << 63, SIZE_MAX, (size_t{1} << 47) + 1}) {
    try {
      allocate(bytes);
      FAIL() << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::OutOfMemory);
      const std::string text = error.what();
      EXPECT_NE(text.find(std::to_string(bytes)), std::string::npos) << text;
      EXPECT_NE(text.find(std::to_string(memory_stats().in_use)), std::string::npos) << text;
    }
  }
}

TEST(Allocator, ManyThreads) {
  const int64_t before = memory_stats().in_use;
  std::atomic<int> faults = 0;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread, &faults] {
      for (size_t i = 0; i < 20000; ++i) {
        const size_t bytes = 8 + i % 600;
        int* block = static_cast<int*>(allocate(bytes));
        *block = thread;
        if (i % 16 == 0) std::this_thread::yield();
        faults += *block != thread;
        deallocate(block, bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults, 0);
  EXPECT_EQ(memory_stats().in_use, before);
}

template <class Body>
int forked(Body body) {
  const pid_t child = fork();
  if (child == 0) _exit(body() ? 0 : 1);
  int status = -1;
  waitpid(child, &status, 0);
  return status;
}

TEST(Allocator, SurvivesFork) {
  std::atomic<bool> stop = false;
  std::thread other([&] {
    while (!stop) deallocate(allocate(100), 100);
  });
  for (int repeat = 0; repeat < 50; ++repeat) {
    EXPECT_EQ(forked([] {
                void* block = allocate(100);
                deallocate(block, 100);
                return block != nullptr;
              }),
              0);
  }
  stop = true;
  other.join();
}

#ifdef REPRISE_ASAN

TEST(Allocator, FreedBytesArePoisoned) {
  char* block = static_cast<char*>(allocate(100));
  EXPECT_FALSE(__asan_address_is_poisoned(block + 99));
  EXPECT_TRUE(__asan_address_is_poisoned(block + 100));
  deallocate(block, 100);
  EXPECT_TRUE(__asan_address_is_poisoned(block));
  EXPECT_TRUE(__asan_address_is_poisoned(block + 99));
}

#elif !defined(REPRISE_TSAN)

/// Bounds the address space of this process to `bytes` more than it has now.
void leave_room_for(size_t bytes) {
  size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t limit = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit both{limit, limit};
  setrlimit(RLIMIT_AS, &both);
}

TEST(Allocator, GivesUpItsCacheBeforeItFails) {
  EXPECT_EQ(forked([] {
              void* other = allocate(400 * kMiB);
              deallocate(other, 400 * kMiB);
              leave_room_for(100 * kMiB);
              deallocate(allocate(300 * kMiB), 300 * kMiB);
              return memory_stats().reserved < signed_bytes(400 * kMiB);
            }),
            0);
}

TEST(Allocator, FailsWhenTheSystemHasNoMore) {
  EXPECT_EQ(forked([] {
              leave_room_for(100 * kMiB);
              try {
                allocate(16384 * kMiB);  // more than any heap holds back
              } catch (const Error& error) {
                return error.kind() == ErrorKind::OutOfMemory;
              }
              return false;
            }),
            0);
}

#endif

}  // namespace
}  // namespace reprise
