// What only a device can show. Without one every test is skipped and says why.

#include <cuda_runtime.h>

#include <optional>
#include <thread>

#include "../../../core/cuda.h"
#include "../../../core/ops.h"
#include "../../core/expect.h"
#include "../../core/on_device.h"

namespace reprise::cuda {
namespace {

using test::expect_error;
using test::expect_tensor;

using CudaDevice = test::OnDevice<>;

TEST_F(CudaDevice, IsDescribed) {
  const DeviceProperties properties = get_device_properties();
  EXPECT_FALSE(properties.name.empty());
  EXPECT_TRUE(properties.major >= 8 || properties.name == "emulated");
  EXPECT_GT(properties.multi_processor_count, 0);
  EXPECT_GE(properties.total_memory, mem_get_info().free);
  EXPECT_GE(properties.shared_memory_per_block_optin, 48 << 10);
}

TEST_F(CudaDevice, KeepsValuesOnAnyStream) {
  const Tensor x = arange(100000).to(float32);
  for (const bool own : {false, true}) {
    std::optional<StreamGuard> guard;
    if (own) guard.emplace(Stream());
    expect_tensor(x.cuda(), x);
    expect_tensor(x.slice(0, 1, 99999, 7).cuda(), x.slice(0, 1, 99999, 7));
    const Tensor pinned = x.pin_memory();
    expect_tensor(pinned.cuda(), x);
    expect_tensor(empty({0}).cuda(), empty({0}));
  }
}

TEST_F(CudaDevice, OrdersStreamsByEvents) {
  const Tensor source = ones({1 << 22}).pin_memory();
  const Stream first, second(0, -1);
  Event start(true), copied(true);
  std::optional<Tensor> there;
  {
    const StreamGuard guard(first);
    start.record(first);
    there = source.cuda(0, true);
    copied.record(first);
  }
  const StreamGuard guard(second);
  copied.wait(second);
  there->record_stream(second);
  const Tensor back = there->cpu();
  there.reset();
  expect_tensor(back.slice(0, 0, 5), ones({5}));
  EXPECT_GT(start.elapsed_time(copied), 0);
  synchronize();
  EXPECT_TRUE(first.query() && second.query() && copied.query());
}

TEST_F(CudaDevice, TakesACallersStream) {
  cudaStream_t mine = nullptr;
  ASSERT_EQ(cudaStreamCreate(&mine), cudaSuccess);
  {
    const StreamGuard guard(Stream::adopt(mine));
    EXPECT_EQ(current_stream().handle(), mine);
    expect_tensor(ones({3}).cuda(), ones({3}));
  }
  EXPECT_EQ(cudaStreamDestroy(mine), cudaSuccess);
}

TEST_F(CudaDevice, RunsOutOfMemoryAndGoesOn) {
  const int64_t before = memory_stats().in_use;
  const int64_t total = mem_get_info().total;
  expect_error([&] { empty({total}, {.device = Device::cuda()}); }, ErrorKind::OutOfMemory,
               {std::to_string(4 * total) + " bytes on cuda:0", " are free"});
  EXPECT_EQ(memory_stats().in_use, before);
  expect_tensor(ones({3}).cuda(), ones({3}));
}

TEST_F(CudaDevice, KeepsFreedMemoryUntilToldOtherwise) {
  synchronize();
  empty_cache();
  const int64_t reserved = memory_stats().reserved, in_use = memory_stats().in_use;
  {
    const Tensor x = empty({1 << 26}, {.dtype = uint8, .device = Device::cuda()});
    EXPECT_EQ(memory_stats().in_use - in_use, 1 << 26);
  }
  EXPECT_GE(memory_stats().reserved, memory_stats().in_use);
  EXPECT_EQ(memory_stats().in_use, in_use);
  empty_cache();
  EXPECT_LE(memory_stats().reserved, reserved);
}

TEST_F(CudaDevice, LeavesTheDefaultPoolToItsOwner) {
  cudaMemPool_t pool = nullptr;
  ASSERT_EQ(cudaDeviceGetDefaultMemPool(&pool, 0), cudaSuccess);
  const auto ask = [&](cudaMemPoolAttr attribute) {
    uint64_t value = 0;
    EXPECT_EQ(cudaMemPoolGetAttribute(pool, attribute, &value), cudaSuccess);
    return value;
  };
  const uint64_t used = ask(cudaMemPoolAttrUsedMemCurrent);
  const Tensor x = empty({1 << 20}, {.device = Device::cuda()});
  EXPECT_EQ(ask(cudaMemPoolAttrUsedMemCurrent), used);
  EXPECT_EQ(ask(cudaMemPoolAttrReleaseThreshold), 0U);
  EXPECT_GE(memory_stats().reserved, 4 << 20);
}

TEST_F(CudaDevice, ServesManyThreads) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      const StreamGuard guard(Stream{});
      for (int i = 0; i < 50; ++i) {
        const Tensor x = full({1000 + i}, thread + i).pin_memory();
        expect_tensor(x.cuda(), x);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(CudaDevice, TakesMemoryOfTheCaller) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMalloc(&memory, 12), cudaSuccess);
  {
    Tensor x = from_blob(memory, {3}, {.device = Device::cuda()}, [](void* p) { cudaFree(p); });
    x.copy_(tensor({1.0, 2.0, 3.0}));
    expect_tensor(x, tensor({1.0, 2.0, 3.0}));
  }
}

}  // namespace
}  // namespace reprise::cuda
