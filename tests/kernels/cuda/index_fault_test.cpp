// Indices out of range on the device: the error of the CPU, at the next call that waits, once.

#include <atomic>
#include <functional>
#include <set>
#include <thread>

#include "../../../core/ops/fused_loss.h"
#include "../../../core/ops/index.h"
#include "../../../core/ops/pool.h"
#include "../../../graph/program.h"
#include "../../../kernels/cuda/index_fault.h"
#include "../../../layers/nn.h"
#include "alone.h"
#include "device_testing.h"

namespace reprise::op_testing {
namespace {

using cuda::FaultState;
using cuda::IndexFault;

class CudaIndexFault : public OnDevice {};

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Index) << error.what();
    return error.what();
  }
  return "no error";
}

/// Zeros of int64 with `wrong` at element `at`.
Tensor indices(const Shape& shape, int64_t at, int64_t wrong) {
  Tensor out = zeros(shape, {.dtype = int64});
  out.data<int64_t>()[at] = wrong;
  return out;
}

/// The device says of `op` what the CPU does, and can be used on.
template <class T>
void expect_fault_of_the_cpu(const T& op, const Tensors& in, std::string_view part) {
  const NoGradGuard no_grad;
  SCOPED_TRACE(Model(op).text());
  Tensors there;
  for (const Tensor& x : in) there.push_back(x.cuda());
  const std::string expected = error_of([&] { dispatch(Model(op), in); });
  EXPECT_NE(expected.find(part), std::string::npos) << expected;
  dispatch(Model(op), there);
  EXPECT_EQ(error_of([] { cuda::synchronize(); }), expected);
  cuda::synchronize();
  EXPECT_EQ(ones({3}).cuda().sum().item<float>(), 3);
}

TEST_F(CudaIndexFault, HasTheTextOfTheCpu) {
  const auto x = [](const Shape& shape) { return sample(shape); };
  expect_fault_of_the_cpu(Gather{1}, {x({300, 10}), indices({300, 20}, 5003, 10)},
                          "gather: expected indices in [0, 10) along dim 1, got 10 at position "
                          "[250, 3]");
  expect_fault_of_the_cpu(Gather{0}, {x({6, 8}), indices({8, 5}, 7, -1).transpose(0, 1)},
                          "got -1 at position [2, 1]");
  expect_fault_of_the_cpu(Gather{0}, {x({}), indices({}, 0, 1)}, "got 1 at position []");
  for (const int dim : {0, 1, 2}) {
    expect_fault_of_the_cpu(IndexSelect{dim}, {x({4, 4, 8}), indices({9}, 7, 1LL << 40)},
                            "at position [7]");
    Shape shape{4, 4, 8};
    shape[static_cast<size_t>(dim)] = 9;
    expect_fault_of_the_cpu(IndexSelectGrad{dim, 4}, {x(shape), indices({9}, 7, -5)},
                            "expected indices in [-4, 4) along dim");
  }
  expect_fault_of_the_cpu(IndexSelectGrad{0, 4}, {x({100, 2}), indices({100}, 70, 4)}, "[70]");
  expect_fault_of_the_cpu(GatherGrad{1, {3, 7, 4}}, {x({3, 5, 4}), indices({3, 5, 4}, 29, 7)},
                          "got 7 at position [1, 2, 1]");
  expect_fault_of_the_cpu(GatherGrad{0, {9}}, {x({2048}), indices({2048}, 2000, 9)}, "[2000]");
  expect_fault_of_the_cpu(LogSoftmaxGatherGrad{1},
                          {x({3, 8, 5}), indices({3, 1, 5}, 7, 8), x({3, 1, 5})},
                          "cross_entropy: expected class indices in [0, 8), got 8 at position 7");
  expect_fault_of_the_cpu(LogSoftmaxGather{1}, {x({3, 8, 5}), indices({3, 1, 5}, 13, -1)},
                          "cross_entropy: expected class indices in [0, 8), got -1 at position 13");
  expect_fault_of_the_cpu(LogSoftmaxGatherGrad{1},
                          {x({70, 8}), indices({70, 1}, 60, -2), x({70, 1})},
                          "got -2 at position 60");
  const MaxPoolAttributes pool{2, 2};
  expect_fault_of_the_cpu(MaxPool2dGrad{pool, 4}, {x({1, 2, 2, 2}), indices({1, 2, 2, 2}, 6, 16)},
                          "max_pool2d_grad: expected indices in [0, 16), got 16 at position "
                          "[0, 1, 1, 0]");
  expect_fault_of_the_cpu(MaxPool2dGather{pool}, {x({1, 2, 4, 4}), indices({1, 2, 2, 2}, 1, -1)},
                          "got -1 at position [0, 0, 0, 1]");
}

TEST_F(CudaIndexFault, ShowsAtEveryCallThatWaits) {
  const Tensor x = sample({6, 4}).cuda(), list = indices({3}, 2, 6).cuda();
  const cuda::Stream stream;
  cuda::Event event;
  using T = const Tensor&;
  const std::function<void(T)> waits[] = {
      [](T) { cuda::synchronize(); },  [&](T) { stream.synchronize(); },
      [&](T) { event.synchronize(); }, [](T) { cuda::empty_cache(); },
      [](T y) { (void)y.cpu(); },      [](T y) { (void)y[0][0].item<float>(); }};
  for (const auto& wait : waits) {
    const cuda::StreamGuard guard(stream);
    const Tensor y = index_select(x, 0, list);
    event.record();
    EXPECT_NE(error_of([&] { wait(y); }).find("index_select: expected indices in [-6, 6)"),
              std::string::npos);
    wait(y);
  }
}

TEST_F(CudaIndexFault, OnlyTheFirstIsReported) {
  const Tensor x = sample({6, 4}).cuda();
  const Tensor one = indices({3}, 2, 60).cuda(), others = full({40}, 70).cuda();
  const Tensor first = index_select(x, 0, one), second = index_select(x, 0, others);
  EXPECT_NE(error_of([] { cuda::synchronize(); }).find("got 60"), std::string::npos);
  EXPECT_EQ(error_of([] { cuda::synchronize(); }), "no error");
}

/// Every fault is told once and whole, whichever thread it is told to. The host writes them as a
/// kernel does, but faster.
TEST_F(CudaIndexFault, ManyThreadsMayWait) {
  constexpr int kFaults = 500;
  IndexFault& fault = *cuda::index_fault();
  std::atomic_ref state(fault.state);
  std::atomic<bool> written = false;
  std::multiset<std::string> told[2];
  const auto wait = [&](std::multiset<std::string>& texts) {
    while (!written || state == FaultState::ready) {
      std::string text = error_of([] { cuda::throw_index_fault(0); });
      if (text != "no error") texts.insert(std::move(text));
      std::this_thread::yield();
    }
  };
  std::thread one(wait, std::ref(told[0])), other(wait, std::ref(told[1]));
  for (int i = 0; i < kFaults; ++i) {
    while (state != FaultState::none) std::this_thread::yield();
    fault.rule = {"op", 0, 0, i, {i + 1}};
    fault.value = fault.position = i;
    state = FaultState::ready;
  }
  written = true;
  one.join();
  other.join();
  told[0].merge(told[1]);
  for (int i = 0; i < kFaults; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_EQ(told[0].count("op: expected indices in [0, " + n + ") along dim 0, got " + n +
                            " at position [" + n + "]"),
              1U)
        << n;
  }
}

TEST_F(CudaIndexFault, CrossEntropyNamesTheTarget) {
  const Tensor x = sample({5, 10, 2}).requires_grad_();
  const Tensor weight = sample({10}).abs();
  const auto backward = [&](Device device, int64_t wrong, CrossEntropyOptions options) {
    if (options.weight.defined()) options.weight = options.weight.to(device);
    cross_entropy(x.to(device), indices({5, 2}, 7, wrong).to(device), options).backward();
    if (device != Device::cpu()) cuda::synchronize();
  };
  for (const CrossEntropyOptions& options :
       {CrossEntropyOptions{}, CrossEntropyOptions{.weight = weight},
        CrossEntropyOptions{.label_smoothing = 0.1},
        CrossEntropyOptions{.weight = weight, .label_smoothing = 0.1}}) {
    for (const Device device : {Device::cpu(), Device::cuda()}) {
      EXPECT_EQ(error_of([&] { backward(device, 10, options); }),
                "cross_entropy: expected class indices in [0, 10), got 10 at position 7");
      backward(device, -100, options);  // ignored
    }
  }
}

/// There the target is looked at by kernels alone.
TEST_F(CudaIndexFault, CrossEntropyNamesTheTargetInPrograms) {
  for (const Device device : {Device::cpu(), Device::cuda()}) {
    const Tensor x = sample({5, 10}).to(device), good = indices({5}, 3, 9).to(device);
    const Tensor bad = indices({5}, 3, 10).to(device);
    Program program =
        compile([](const Tensors& in) { return Tensors{cross_entropy(in[0], in[1])}; },
                std::vector<Example>{x, good});
    for (int i = 0; i < 4; ++i) {
      const auto run = [&](const Tensor& target) {
        return program.call(Tensors{x, target})[0].cpu();
      };
      EXPECT_EQ(error_of([&] { run(bad); }),
                "cross_entropy: expected class indices in [0, 10), got 10 at position 3");
      run(good);
    }
  }
}

TEST_F(CudaIndexFault, ShowsInCapturedGraphs) {
  const Tensor x = sample({6, 4}).cuda(), good = indices({3}, 2, 5).cuda();
  const Tensor bad = indices({3}, 1, 6).cuda();
  Program program =
      compile([&](const Tensor& list) { return index_select(x, 0, list).neg(); }, {good});
  for (int i = 0; i < 5; ++i) {
    (void)program(bad);
    EXPECT_NE(error_of([] { cuda::synchronize(); }).find("got 6 at position [1]"),
              std::string::npos);
    expect_same_bits(program(good).cpu(), index_select(x, 0, good).neg().cpu());
  }
  EXPECT_EQ(program.replay().find("one CUDA graph"), 0) << program.replay();
}

// ---- whose it is

constexpr const char* kFault =
    "index_select: expected indices in [-6, 6) along dim 0, got 6 at position [1]";

/// Rows of a table.
struct Lookup : nn::Layer<Lookup> {
  Tensor table = sample({6, 4}).cuda();
  Tensor forward(const Tensor& list) const { return index_select(table, 0, list); }
};
nn::Sequential looks_up_and_waits() {
  const auto wait = [](const Tensor& x) { (void)sum(x).item<float>(); };
  return nn::Sequential(Lookup(), nn::ReLU(), nn::Callback(wait));
}

/// What a layer runs.
struct Runs : nn::Layer<Runs> {
  explicit Runs(Program& p) : program(&p) {}
  Program* program;
  Tensor forward(const Tensor& x) const { return (*program)(x); }
};

TEST_F(CudaIndexFault, NamesTheLayerOfTheKernelAndNotOneThatWaits) {
  const NoGradGuard no_grad;
  const Tensor bad = indices({3}, 1, 6).cuda(), x = sample({6, 4}).cuda();
  nn::Sequential net = looks_up_and_waits(),
                 waits(nn::Callback([](const Tensor&y) { (void)y.cpu(); }));
  EXPECT_EQ(error_of([&] { (void)net(bad); }), text("0: ", kFault));
  const Tensor y = index_select(x, 0, bad);
  EXPECT_EQ(error_of([&] { (void)waits(x); }), kFault);
  const auto in_layer = [&] { (void)net.children()[0].second->call(Tensors{bad}); };
  in_layer();
  try {
    (void)waits(x);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(error.is_late());
    EXPECT_EQ(error.what(), text("0: ", kFault));
  }
}

TEST_F(CudaIndexFault, NamesTheLayerInProgramsAndNotWhoRunsThem) {
  const NoGradGuard no_grad;
  const Tensor bad = indices({3}, 1, 6).cuda(), good = indices({3}, 1, 5).cuda();
  nn::Sequential net = looks_up_and_waits();
  Program program = compile([&](const Tensor& list) { return net(list); }, {good});
  nn::Sequential outer{Runs(program)};
  for (int i = 0; i < 4; ++i) {
    const bool is_captured = program.replay().starts_with("2 CUDA graphs");
    EXPECT_EQ(is_captured, i >= 2) << program.replay();
    EXPECT_EQ(error_of([&] { (void)program(bad); }), text("0: ", kFault));
    // A graph may be launched by another layer than the one that it was captured in.
    EXPECT_EQ(error_of([&] { (void)outer(bad); }), text(is_captured ? "0: " : "0.0: ", kFault));
    (void)outer(good);
  }
}

TEST_F(CudaIndexFault, ShowsAtTheOpWhenKernelsAreWaitedFor) {
  if (!test::is_alone()) return test::expect_passes_alone("REPRISE_CUDA_SYNC", "1");
  const Tensor x = sample({6, 4}).cuda(), list = indices({3}, 1, 6).cuda();
  EXPECT_EQ(error_of([&] { index_select(x, 0, list); }), kFault);
  cuda::synchronize();
  Program program = compile([&](const Tensor& in) { return index_select(x, 0, in).neg(); }, {list});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(error_of([&] { (void)program(list); }), kFault);
    (void)program(zeros_like(list));
    cuda::synchronize();
  }
  EXPECT_TRUE(program.replay().starts_with("one CUDA graph")) << program.replay();
}

}  // namespace
}  // namespace reprise::op_testing
