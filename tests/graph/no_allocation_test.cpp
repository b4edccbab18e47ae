// Running a program allocates nothing: every malloc of the process is counted, and every block of
// our own allocator.

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "../../autograd/tape.h"
#include "../../core/allocator.h"
#include "../../core/random.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../core/fake_device.h"
#include "example_models.h"
#include "replay.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPRISE_COUNTS_MALLOC 0  // sanitizers have a malloc of their own
#elif defined(__GLIBC__)
#define REPRISE_COUNTS_MALLOC 1
#else
#define REPRISE_COUNTS_MALLOC 0
#endif

namespace {
constinit std::atomic<int64_t> mallocs{0};
}

#if REPRISE_COUNTS_MALLOC
// The names of the C library, put in front of it; operator new comes here too.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* block, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  mallocs.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  mallocs.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* block, size_t bytes) {
  mallocs.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(block, bytes);
}
void* memalign(size_t alignment, size_t bytes) {
  mallocs.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) { return memalign(alignment, bytes); }
int posix_memalign(void** block, size_t alignment, size_t bytes) {
  void* made = memalign(alignment, bytes);
  if (made == nullptr) return ENOMEM;
  *block = made;
  return 0;
}
}
#endif

namespace reprise {
namespace {

constexpr int kWarmUp = 50;

class NoAllocation : public testing::Test {
 protected:
  void SetUp() override {
    if (!REPRISE_COUNTS_MALLOC) GTEST_SKIP() << "malloc is the sanitizer's or not glibc's";
    manual_seed(1);
  }

  /// Calls f so many times, once its threads have made their scratch.
  template <class F>
  static void expect_none(int runs, F f) {
    for (int i = 0; i < kWarmUp; ++i) f();
    const int64_t blocks = memory_stats().allocations, before = mallocs;
    for (int i = 0; i < runs; ++i) f();
    const int64_t taken = mallocs - before;
    EXPECT_EQ(taken, 0) << "calls of malloc and its like in " << runs << " runs";
    EXPECT_EQ(memory_stats().allocations - blocks, 0);
  }

  static Program compile_step(nn::Module& model, optim::Optimizer& optimizer, const Tensor& input,
                              const Tensor& classes) {
    const auto step = [&](const Tensor& x, const Tensor& target) {
      optimizer.zero_grad();
      const Tensor loss = cross_entropy(model.call(std::array{x}).front(), target);
      loss.backward();
      optimizer.step();
      return loss.detach();
    };
    return compile(step, {input, classes});
  }

  Tensor x_ = randn({2, 3, 32, 32});
  Tensor target_ = tensor({3, 7});
};

TEST_F(NoAllocation, IsCountedAtAll) {
  const int64_t before = mallocs;
  std::vector<std::unique_ptr<int>> kept;
  kept.push_back(std::make_unique<int>(1));
  void* aligned = nullptr;
  ASSERT_EQ(posix_memalign(&aligned, 64, 100), 0);
  std::free(aligned);
  EXPECT_GE(mallocs - before, 3);
}

TEST_F(NoAllocation, InInferenceOfTheToyResNet) {
  SymbolicModel model = test::toy_resnet();
  model.eval();
  const test::Threads one(1);
  const NoGradGuard no_grad;
  for (const char* passes : {"", "none"}) {
    Program program = compile([&](const Tensor& x) { return model(x); }, {x_}, {.passes = passes});
    const Tensors in{x_}, out{empty({2, 10})};
    expect_none(1000, [&] { program.run(in, out); });
  }
}

TEST_F(NoAllocation, InATrainingStepOfTheToyResNet) {
  for (const int threads : {1, 2}) {
    const test::Threads guard(threads);
    SymbolicModel model = test::toy_resnet();
    optim::Adam optimizer(model.parameters());
    Program program = compile_step(model, optimizer, x_, target_);
    const Tensors in{x_, target_}, out{empty({})};
    expect_none(threads == 1 ? 1000 : 100, [&] { program.run(in, out); });
  }
}

TEST_F(NoAllocation, InATrainingStepWithMomentumAndBatchNorm) {
  nn::Sequential model{nn::Linear(20, 30), nn::BatchNorm1d(30), nn::Tanh(), nn::Linear(30, 10)};
  optim::SGD optimizer(model.parameters(), {.lr = 0.1, .momentum = 0.9, .nesterov = true});
  const Tensor x = randn({2, 20});
  Program program = compile_step(model, optimizer, x, target_);
  const Tensors in{x, target_}, out{empty({})};
  expect_none(1000, [&] { program.run(in, out); });
}

/// A device that takes graphs and launches nothing.
class IdleDevice : public test::FakeRuntime {
 public:
  int launches = 0, copies = 0;
  void record_event(int, void*, void*) override {}
  void wait_event(int, void*, void*) override {}
  bool set_copy(int, void*, void*, void*, const void*, size_t) override {
    ++copies;
    return true;
  }
  void launch_graph(int, void*, void*) override { ++launches; }
};

TEST_F(NoAllocation, OnTheHostWhenAGraphIsLaunched) {
  IdleDevice device;
  detail::DeviceContext context(device);
  const detail::DeviceContextGuard there(context);
  nn::Sequential model{nn::Linear(20, 30), nn::Tanh(), nn::Dropout(0.5), nn::Linear(30, 10)};
  model.to(Device::cuda());
  optim::Adam optimizer(model.parameters());
  const Tensor x = randn({2, 20}).cuda(), y = randn({2, 20}).cuda(), target = target_.cuda();
  Program program = compile_step(model, optimizer, x, target);
  const Tensors in{x, target}, other{y, target}, out{empty({}, {.device = Device::cuda()})};
  const auto run_both = [&] {
    program.run(in, out);
    program.run(other, out);
  };
  expect_none(1000, run_both);
  EXPECT_EQ(device.launches, 2 * (1000 + kWarmUp) - 2);
  EXPECT_EQ(device.copies, device.launches);
}

}  // namespace
}  // namespace reprise
