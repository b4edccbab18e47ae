// The books of device memory and of pinned memory, on a fake runtime.

#include "../../core/device_pool.h"

#include "../../core/pinned_pool.h"
#include "expect.h"
#include "fake_device.h"

namespace reprise::test {
namespace {

using detail::DevicePool;
using detail::PinnedPool;
using Log = std::vector<std::string>;

void* stream(intptr_t number) { return reinterpret_cast<void*>(number); }

TEST(DevicePool, CountsBytes) {
  FakeRuntime runtime;
  DevicePool pool(runtime, 0);
  EXPECT_EQ(pool.allocate(0, nullptr), nullptr);
  void* a = pool.allocate(1000, nullptr);
  void* b = pool.allocate(24, stream(1));
  EXPECT_EQ(pool.stats().in_use, 1024);
  pool.deallocate(a);
  const MemoryStats stats = pool.stats();
  EXPECT_EQ(stats.in_use, 24);
  EXPECT_EQ(stats.peak, 1024);
  EXPECT_EQ(stats.reserved, 1024);
  EXPECT_EQ(stats.allocations, 2);
  pool.reset_peak();
  EXPECT_EQ(pool.stats().peak, 24);
  pool.deallocate(b);
  pool.deallocate(nullptr);
  EXPECT_EQ(runtime.live_blocks(), 0);
}

TEST(DevicePool, OutOfMemoryNamesFiguresAndTheNextCallWorks) {
  FakeRuntime runtime;
  runtime.room = 1000;
  DevicePool pool(runtime, 0);
  void* a = pool.allocate(600, nullptr);
  expect_error([&] { pool.allocate(500, nullptr); }, ErrorKind::OutOfMemory,
               {"500 bytes on cuda:0", "600 are in use", "400 of 1000"});
  EXPECT_EQ(pool.stats().in_use, 600);
  EXPECT_EQ(pool.stats().allocations, 1);
  void* b = pool.allocate(400, nullptr);
  pool.deallocate(a);
  pool.deallocate(b);
}

TEST(DevicePool, GivesUpWhatIsKeptBeforeItFails) {
  FakeRuntime runtime;
  runtime.room = 1000;
  DevicePool pool(runtime, 0);
  pool.deallocate(pool.allocate(900, nullptr));
  EXPECT_EQ(pool.stats().reserved, 900);
  void* block = pool.allocate(950, nullptr);
  EXPECT_NE(block, nullptr);
  EXPECT_EQ(pool.stats().reserved, 950);
  pool.deallocate(block);
}

TEST(DevicePool, FreesBehindEveryStreamThatUsedABlock) {
  FakeRuntime runtime;
  DevicePool pool(runtime, 0);
  void* block = pool.allocate(8, stream(1));
  EXPECT_TRUE(pool.record_stream(block, stream(2)));
  EXPECT_TRUE(pool.record_stream(block, stream(2)));
  EXPECT_TRUE(pool.record_stream(block, stream(1)));
  EXPECT_FALSE(pool.record_stream(&runtime, stream(2)));
  pool.deallocate(block);
  EXPECT_EQ(runtime.take_log(), (Log{"allocate 0 1", "record 0 2", "wait 0 1", "deallocate 0 1"}));
  EXPECT_EQ(runtime.live_events, 0);
}

TEST(DevicePool, FreesOnALostDevice) {
  FakeRuntime runtime;
  DevicePool pool(runtime, 0);
  void* block = pool.allocate(8, stream(1));
  pool.record_stream(block, stream(2));
  runtime.is_broken = true;
  pool.deallocate(block);
  EXPECT_EQ(pool.stats().in_use, 0);
  EXPECT_EQ(runtime.live_blocks(), 0);
}

TEST(PinnedPool, ReusesABlockWhenNoCopyReadsIt) {
  FakeRuntime runtime;
  PinnedPool pool(runtime);
  EXPECT_EQ(pool.allocate(0), nullptr);
  pool.deallocate(nullptr);
  auto* first = static_cast<char*>(pool.allocate(5000));
  pool.record_use(first + 4999, 0, stream(1));
  pool.record_use(first, 0, stream(1));
  pool.record_use(&runtime, 0, stream(1));
  EXPECT_EQ(runtime.take_log(), (Log{"record 0 1", "record 0 1"}));
  EXPECT_EQ(runtime.live_events, 1);
  pool.deallocate(first);
  runtime.events_are_done = false;
  void* second = pool.allocate(5000);
  EXPECT_NE(first, second);
  runtime.events_are_done = true;
  EXPECT_EQ(pool.allocate(6000), first);  // both take 8192
  EXPECT_EQ(runtime.live_events, 0);
  pool.trim();
  EXPECT_EQ(runtime.live_pinned, 2);
  pool.deallocate(first);
  pool.deallocate(second);
  pool.trim();
  EXPECT_EQ(runtime.live_pinned, 0);
}

TEST(PinnedPool, RefusesWhatIsTooLarge) {
  FakeRuntime runtime;
  PinnedPool pool(runtime);
  expect_error([&] { pool.allocate(SIZE_MAX); }, ErrorKind::OutOfMemory,
               {"pinned", std::to_string(SIZE_MAX)});
}

}  // namespace
}  // namespace reprise::test
