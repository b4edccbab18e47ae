// The emulated device itself: kernels that pass and kernels that it must catch.

#include "device.h"

#include <numeric>
#include <utility>
#include <vector>

#include "../../kernels/cuda/launch.cuh"
#include "../../kernels/cuda/pack.cuh"
#include "../core/expect.h"

namespace reprise::cuda {
namespace {

using test::expect_error;

void sum_of_block(int* out, const int* in) {
  __shared__ int sums[1024 / 32];
  int value = in[first_index()];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(~0U, value, step);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (unsigned w = 1; w < blockDim.x / 32; ++w) sums[0] += sums[w];
  out[blockIdx.x] = sums[0];
}

TEST(EmulatedCuda, RunsBarriersAndShuffles) {
  std::vector<int> in(4 * 128), out(4);
  std::iota(in.begin(), in.end(), 0);
  launch({}, 4, 128, sum_of_block, out.data(), in.data());
  for (int b = 0; b < 4; ++b) EXPECT_EQ(out[b], 128 * 128 * b + 128 * 127 / 2);
}

void lanes(unsigned* out) {
  const unsigned i = threadIdx.x;
  out[4 * i] = __shfl_down_sync(~0U, i, 1);
  out[4 * i + 1] = __shfl_up_sync(~0U, i, 1, 8);
  out[4 * i + 2] = __shfl_sync(~0U, i, 3, 8);
  out[4 * i + 3] = __ballot_sync(~0U, i % 2);
}

TEST(EmulatedCuda, ShufflesWithinWidths) {
  std::vector<unsigned> out(4 * 32);
  launch({}, 1, 32, lanes, out.data());
  for (unsigned i = 0; i < 32; ++i) {
    EXPECT_EQ(out[4 * i], i == 31 ? 31 : i + 1);
    EXPECT_EQ(out[4 * i + 1], i % 8 == 0 ? i : i - 1);
    EXPECT_EQ(out[4 * i + 2], i / 8 * 8 + 3);
    EXPECT_EQ(out[4 * i + 3], 0xAAAAAAAAU);
  }
}

void barrier_for_some() {
  if (threadIdx.x < 32) return __syncwarp();
  if (threadIdx.x == 32) __syncwarp();
}

TEST(EmulatedCuda, CatchesWhatWaitsForever) {
  expect_error([] { launch({}, 1, 64, barrier_for_some); }, ErrorKind::Device,
               {"cudaErrorLaunchTimeout"});
}

void race(int* out) { *out = static_cast<int>(threadIdx.x); }

TEST(EmulatedCuda, ShowsRacesByOtherOrders) {
  int first = -1, second = -1;
  launch({}, 1, 64, race, &first);
  launch({}, 1, 64, race, &second);
  EXPECT_NE(first, second);
}

void exchange_in_shared(float* out) {
  float* const shared = dynamic_shared<float>();
  if (threadIdx.x == 0) out[0] = shared[threadIdx.x];  // nobody has written it
  __syncthreads();
  shared[threadIdx.x] = static_cast<float>(threadIdx.x);
  __syncthreads();
  out[1 + threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

TEST(EmulatedCuda, FillsSharedMemoryWithNaN) {
  std::vector<float> out(65);
  launch({}, {1, 64, 64 * sizeof(float)}, exchange_in_shared, out.data());
  EXPECT_NE(out[0], out[0]);
  for (int i = 0; i < 64; ++i) EXPECT_EQ(out[1 + i], 63 - i);
}

void copy_pack(float* to, const float* from) {
  float pack[4];
  load_pack(pack, from);
  store_pack(to, pack);
}

TEST(EmulatedCuda, CatchesPacksThatAreNotAligned) {
  alignas(16) float x[8] = {1, 2, 3, 4}, y[8] = {};
  launch({}, 1, 1, copy_pack, y, x);
  EXPECT_EQ(y[3], 4);
  for (const auto& [to, from] : {std::pair(y + 1, x), std::pair(y, x + 2)}) {
    expect_error([&] { launch({}, 1, 1, copy_pack, to, from); }, ErrorKind::Device,
                 {"cudaErrorMisalignedAddress"});
  }
}

TEST(EmulatedCuda, RefusesGridsThatNoDeviceTakes) {
  for (const Grid& grid : {Grid{1, 1025}, Grid{1, 32, 1 << 20}}) {
    expect_error([&] { launch({}, grid, race, nullptr); }, ErrorKind::Device,
                 {"cudaErrorInvalidConfiguration"});
  }
}

TEST(EmulatedCuda, LetsAKernelShareWhatAnyLaunchOfItAskedFor) {
  std::vector<float> out(65);
  allow_shared(reinterpret_cast<const void*>(exchange_in_shared), 160 << 10);
  allow_shared(reinterpret_cast<const void*>(exchange_in_shared), 60 << 10);  // by another thread
  cudaLaunchConfig_t config{};
  config.gridDim = 1;
  config.blockDim = 64;
  config.dynamicSmemBytes = 160 << 10;
  EXPECT_EQ(cudaLaunchKernelEx(&config, exchange_in_shared, out.data()), cudaSuccess);
  config.dynamicSmemBytes = 161 << 10;
  EXPECT_EQ(cudaLaunchKernelEx(&config, exchange_in_shared, out.data()), cudaErrorInvalidValue);
}

}  // namespace
}  // namespace reprise::cuda
