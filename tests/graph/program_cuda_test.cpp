// Programs on a GPU: the bits of eager calls, as one CUDA Graph after two runs, or as a loop that
// says why. On a fake device, whose log tells what was queued, and on the first device
// that there is.

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include <unistd.h>

#include "../../autograd/tape.h"
#include "../../core/cuda.h"
#include "../../core/random.h"
#include "../../graph/training_step.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../core/expect.h"
#include "compiled_models.h"
#include "program_on_gpu.h"

namespace reprise::test {
namespace {

Tensor f(const Tensor& x) { return sum(tanh(x * x + 1), 1); }

INSTANTIATE_TEST_SUITE_P(All, CudaProgram, testing::Bool(), device_name);

// ---- what is queued

TEST_F(ProgramOnFake, IsOneGraphAfterTwoRuns) {
  Tensor x = ones({2, 3}).cuda(), y = zeros({2}).cuda();
  Program program = compile(f, {x});
  const std::string calls = text("a loop of ", program.num_calls(), " calls");
  EXPECT_EQ(program.replay(), calls + " until it has run twice");
  fake_.runtime.take_log();
  program.run({x}, {y});
  const Log first = fake_.runtime.take_log();
  EXPECT_EQ(count(first, "tanh 0 0") + count(first, "fused 0 0"), 1);
  EXPECT_EQ(first.back(), "record 0 0");
  program.run({x}, {y});
  const Log second = fake_.runtime.take_log();
  EXPECT_EQ(count(second, "tanh 0 0") + count(second, "fused 0 0"), 1);
  EXPECT_EQ(count(second, "begin capture"), 1);
  EXPECT_EQ(count(second, "launch graph"), 0);
  EXPECT_TRUE(is_one_graph(program.report())) << program.report();
  EXPECT_EQ(program.replay(), text("one CUDA graph of ", program.num_calls(), " kernels"));
  for (int i = 0; i < 3; ++i) program.run({x}, {y});
  const Log again = fake_.runtime.take_log();
  EXPECT_EQ(again, (Log{"launch graph 0 0", "record 0 0", "launch graph 0 0", "record 0 0",
                        "launch graph 0 0", "record 0 0"}));
  const Tensor other = zeros({2, 3}).cuda();
  fake_.runtime.take_log();
  program.run({other}, {y});
  EXPECT_EQ(fake_.runtime.take_log(), (Log{"set copy", "launch graph 0 0", "record 0 0"}));
  expect_bits(y, f(zeros({2, 3})));
  expect_bits(x, ones({2, 3}));
}

TEST_F(ProgramOnFake, GivesBackAllItTook) {
  for (const bool breaks : {false, true}) {
    {
      Tensor x = ones({2, 3}).cuda();
      const int64_t before = cuda::memory_stats().in_use;
      Program program = compile([](const Tensor& a) { return dropout(f(a), 0.5); }, {x});
      const ProgramMemory memory = program.memory();
      EXPECT_EQ(memory.places, 2 * 256U);
      EXPECT_EQ(static_cast<size_t>(cuda::memory_stats().in_use - before),
                memory.arena + memory.places + 16);  // of the counter
      for (int i = 0; i < 3; ++i) (void)program(x);
      EXPECT_EQ(fake_.runtime.live_graphs, 1);
      fake_.runtime.is_broken = breaks;
    }
    EXPECT_EQ(fake_.runtime.live_graphs, 0);
    EXPECT_EQ(fake_.runtime.live_blocks(), 0);
    EXPECT_EQ(fake_.runtime.live_events, 0);
    EXPECT_EQ(cuda::memory_stats().in_use, 0);
  }
}

TEST_F(ProgramOnFake, AnotherStreamWaitsForTheLastRun) {
  const Tensor x = ones({2, 3}).cuda(), y = zeros({2}).cuda();
  Program program = compile(f, {x});
  const cuda::Stream a, b;
  const auto run_on = [&](const cuda::Stream& stream) {
    const cuda::StreamGuard guard(stream);
    fake_.runtime.take_log();
    program.run({x}, {y});
    return fake_.runtime.take_log();
  };
  for (int i = 0; i < 2; ++i) (void)run_on(a);
  EXPECT_EQ(run_on(a), (Log{"launch graph 0 1", "record 0 1"}));
  EXPECT_EQ(run_on(b), (Log{"wait 0 2", "launch graph 0 2", "record 0 2"}));
  EXPECT_EQ(run_on(b), (Log{"launch graph 0 2", "record 0 2"}));
  // A caller's stream may be gone, and its handle that of another one.
  const cuda::Stream theirs = cuda::Stream::adopt(&program);
  EXPECT_TRUE(theirs.is_adopted() && !a.is_adopted() &&
              !cuda::Stream::default_stream().is_adopted());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(count(run_on(theirs), "wait 0 "), 1);
  EXPECT_EQ(count(run_on(cuda::Stream::default_stream()), "wait 0 0"), 1);
  EXPECT_EQ(count(run_on(cuda::Stream::default_stream()), "wait"), 0);
}

TEST_F(ProgramOnFake, ACaptureThatFailsLeavesALoop) {
  fake_.runtime.refused_in_captures = "tanh";
  const Tensor x = randn({2, 3}).cuda();
  Program program = compile(f, {x}, {.passes = "none"});
  Program other = compile([](const Tensor& a) { return a.neg(); }, {x});
  for (int i = 0; i < 4; ++i) {
    expect_bits(program(x), f(x));
    expect_bits(other(x), x.neg());
  }
  EXPECT_TRUE(contains(program.report(), "calls, since tanh: operation not permitted when stream"))
      << program.report();
  EXPECT_TRUE(is_one_graph(other.replay()));
  EXPECT_EQ(count(fake_.runtime.take_log(), "begin capture"), 2);
}

TEST_F(ProgramOnFake, WhatCannotBeCapturedSaysSo) {
  const Tensor here = randn({4, 4}), there = here.cuda();
  const auto loops = [&](const Tensor& in, const auto& g, const std::string& why) {
    Program program = compile(g, {in});
    for (int i = 0; i < 3; ++i) expect_bits(program(in), g(in));
    EXPECT_TRUE(contains(program.replay(), "a loop of ")) << program.replay();
    EXPECT_TRUE(contains(program.replay(), ", since " + why)) << program.replay();
  };
  loops(
      here, [](const Tensor& x) { return f(x.cuda().cpu()); },
      "none of them is a kernel of cuda:0");
  loops(
      randn({1 << 11, 1 << 10}).cuda(), [](const Tensor& x) { return x.neg(); },
      "its inputs and outputs of 16777216 bytes would be copied");
  expect_error([&] { (void)compile(f, {there}, {.check_memory = true}); }, ErrorKind::Device,
               {"check_memory", "cuda:0"});
  Program program = compile(f, {there});
  expect_error([&] { (void)program(here); }, ErrorKind::Device, {"input 0 on cuda:0", "on cpu"});
}

TEST_F(ProgramOnFake, RunsOnAnyDevice) {
  const Tensor here = randn({2, 3}), x = here.cuda(1), y = zeros({2}).cuda(1);
  Program program = compile([](const Tensor& a) { return f(dropout(a, 0.5)); }, {x});
  const cuda::Stream stream(1);
  const cuda::StreamGuard guard(stream);
  for (int i = 0; i < 3; ++i) {
    manual_seed(6);
    program.run({x}, {y});
  }
  EXPECT_EQ(count(fake_.runtime.take_log(), "launch graph 1 1"), 1);
  manual_seed(6);
  expect_bits(y, f(dropout(here, 0.5)));
  expect_error([&] { (void)program(x.cuda(0)); }, ErrorKind::Device, {"input 0 on cuda:1"});
}

TEST_F(ProgramOnFake, RefusesGraphsThatMixDevices) {
  Graph graph = compile([](const Tensor& a, const Tensor& b) { return a * b; },
                        {Meta({2}, float32), Meta({2}, float32)})
                    .graph();
  graph.values[0].meta.device = kGpu;
  expect_error([&] { verify(graph); }, ErrorKind::Graph, {"mul", "on cuda:0 and on cpu"});
  graph.values[1].meta.device = kGpu;
  expect_error([&] { verify(graph); }, ErrorKind::Graph, {"should lie on cuda:0, lies on cpu"});
  graph.values[2].meta.device = kGpu;
  verify(graph);
  graph.values[0].meta.device = Device::meta();
  expect_error([&] { verify(graph); }, ErrorKind::Graph, {"input %0 lies on meta"});
}

TEST_F(ProgramOnFake, KeepsAnArenaOnEachDevice) {
  const auto g = [](const Tensor& x) { return f(exp(f(x.neg()).cuda().unsqueeze(0)).neg()).cpu(); };
  Program program = compile(g, {Example(Meta({5, 5}, float32))}, {.passes = "none"});
  const Plan& plan = program.plan();
  ASSERT_EQ(plan.parts.size(), 2U);
  EXPECT_EQ(plan.parts[0].bytes + plan.parts[1].bytes, plan.arena_bytes);
  EXPECT_EQ(plan.parts[1].begin, plan.parts[0].bytes);
  for (const Slot& slot : plan.slots) {
    const ArenaPart& part = plan.parts[slot.device == kGpu ? 1 : 0];
    EXPECT_GE(slot.offset, part.begin);
    EXPECT_LE(slot.offset + slot.bytes, part.begin + part.bytes);
    EXPECT_EQ((slot.offset - part.begin) % arena_alignment(slot.device), 0);
  }
  EXPECT_EQ(plan_fault(program.graph(), plan), "");
}

TEST_F(ProgramOnFake, CallsFunctionsOnTheStreamOfTheRun) {
  const Tensor x = randn({3}).cuda();
  const cuda::Stream stream;
  const HostFunction twice = [&](const Tensors& in) {
    EXPECT_EQ(in[0].device(), kGpu);
    EXPECT_EQ(cuda::current_stream(), stream);
    return Tensors{(in[0] * 2).cpu()};
  };
  const auto g = [&](const Tensor& a) {
    return host_call("twice", twice, {a.neg()}, std::array{a.meta()})[0].exp();
  };
  Program program = compile(g, {x});
  const cuda::StreamGuard guard(stream);
  for (int i = 0; i < 3; ++i) expect_bits(program(x), (x.neg() * 2).exp());
  EXPECT_EQ(program.replay(), "2 CUDA graphs of 2 kernels and 1 host step");
}

// ---- what comes out

TEST_P(CudaProgram, HasTheBitsOfEagerInManyRuns) {
  manual_seed(1);
  const NoGradGuard no_grad;
  nn::Sequential net(nn::Conv2d(3, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::ReLU(),
                     nn::MaxPool2d(2), nn::Flatten(), nn::Linear(64, 5));
  net.eval();
  net.to(kGpu);
  const Tensor x = randn({2, 3, 8, 8}, {.device = kGpu});
  Program program = compile([&](const Tensor& a) { return net(a); }, {x});
  for (int i = 0; i < 20; ++i) {
    const Tensor in = randn({2, 3, 8, 8}, {.device = kGpu});
    expect_bits(program(in), net(in));
    if (i == 10) {
      for (const Tensor& p : net.parameters()) Tensor(p).mul_(0.5);
    }
  }
  EXPECT_TRUE(is_one_graph(program.report())) << program.report();
}

TEST_P(CudaProgram, AllocatesNothing) {
  const Tensor x = randn({4, 4}, {.device = kGpu}), y = zeros({4}, {.device = kGpu});
  Program program = compile([](const Tensor& a) { return f(dropout(a, 0.25)); }, {x});
  for (int i = 0; i < 3; ++i) program.run({x}, {y});
  const int64_t before = cuda::memory_stats().allocations;
  for (int i = 0; i < 100; ++i) program.run({x}, {y});
  EXPECT_EQ(cuda::memory_stats().allocations, before);
  EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
}

TEST_P(CudaProgram, DrawsTheNumbersOfTheCpu) {
  const auto g = [](const Tensor& x) {
    return dropout(dropout(x, 0.5) + rand({7}, {.device = x.device()}), 0.3);
  };
  const Tensor here = randn({7}), there = here.to(kGpu);
  Program program = compile(g, {there});
  const auto draw = [&](const auto& run) {
    manual_seed(5);
    Tensors out;
    for (int i = 0; i < 8; ++i) {
      out.push_back(run());
      if (i == 3) (void)rand({3});  // somebody else draws
      if (i == 5) manual_seed(~uint64_t{9});
    }
    return out;
  };
  const Tensors expected = draw([&] { return g(here); });
  EXPECT_EQ(difference(on_cpu(draw([&] { return program(there); })), expected), "");
  EXPECT_EQ(difference(on_cpu(draw([&] { return program(there); })), expected), "");
  EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
}

struct Training {
  std::vector<float> losses;
  Tensors parameters;
  std::string report;
};

template <class Optimizer, class Options>
Training train(Device device, bool compiled, Options options) {
  manual_seed(2);
  nn::Sequential net(nn::Linear(6, 8), nn::ReLU(), nn::Dropout(0.2), nn::Linear(8, 3));
  net.to(device);
  Optimizer optimizer(net.parameters(), options);
  optim::StepLR schedule(optimizer, 3, 0.5);
  const Tensor x = randn({5, 6}).to(device), y = tensor({0, 1, 2, 1, 0}).to(device);
  const nn::CrossEntropyLoss loss_of;
  std::optional<TrainingStep> step;
  if (compiled) step.emplace(compile_training_step(net, loss_of, optimizer, {x, y}));
  Training out;
  for (int i = 0; i < 12; ++i) {
    Tensor loss;
    if (compiled) {
      loss = (*step)(x, y);
    } else {
      optimizer.zero_grad();
      loss = loss_of(net(x), y);
      loss.backward();
      optimizer.step();
    }
    out.losses.push_back(loss.item<float>());
    schedule.step();
  }
  out.parameters = on_cpu(net.parameters());
  out.report = compiled ? step->program().replay() : "";
  return out;
}

template <class Optimizer, class Options>
void expect_same_training(Options options) {
  const Training eager = train<Optimizer>(kGpu, false, options);
  const Training step = train<Optimizer>(kGpu, true, options);
  EXPECT_EQ(step.losses, eager.losses);
  EXPECT_EQ(difference(step.parameters, eager.parameters), "");
  EXPECT_TRUE(is_one_graph(step.report)) << step.report;
  const Training cpu = train<Optimizer>(Device::cpu(), false, options);
  for (size_t i = 0; i < cpu.losses.size(); ++i) {
    EXPECT_NEAR(step.losses[i], cpu.losses[i], 1e-5) << i;
  }
}

TEST_P(CudaProgram, ATrainingStepFollowsItsSchedule) {
  expect_same_training<optim::SGD>(optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
  expect_same_training<optim::Adam>(optim::AdamOptions{.lr = 0.05, .amsgrad = true});
}

TEST_P(CudaProgram, UpdatesInputsAndCaptures) {
  const Tensor sum_so_far = zeros({3}, {.device = kGpu});
  const auto g = [&](const Tensor& x) {
    Tensor(x).add_(1);
    Tensor(sum_so_far).add_(x);
    return x * 2;
  };
  Tensor x = tensor({1.0, 2.0, 3.0}).to(kGpu), other = x.clone();
  Program program = compile(g, {x}, {.passes = "none"});
  for (int i = 0; i < 4; ++i) {
    const Tensor y = program(x);
    expect_bits(y, x * 2);
  }
  expect_tensor(x, tensor({5.0, 6.0, 7.0}));
  (void)program(other);
  expect_tensor(other, tensor({2.0, 3.0, 4.0}));
  expect_tensor(x, tensor({5.0, 6.0, 7.0}));
  expect_tensor(sum_so_far, tensor({16.0, 21.0, 26.0}));
  EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
}

TEST_P(CudaProgram, TakesOtherLayoutsAndEmptyTensors) {
  const Tensor x = randn({4, 4}, {.device = kGpu}), none = zeros({0, 4}, {.device = kGpu});
  Program dense = compile(f, {x}), turned = compile(f, {x.t()}), empty = compile(f, {none});
  for (int i = 0; i < 3; ++i) {
    expect_bits(dense(x.t()), f(x.t()));
    expect_bits(turned(x.t()), f(x.t()));
    expect_bits(turned(x), f(x));
    EXPECT_EQ(empty(none).numel(), 0);
  }
}

TEST_P(CudaProgram, ClonesRunOnThreadsOfTheirOwn) {
  if (GetParam()) GTEST_SKIP() << "a fake device is for one thread";
  const Tensor w = randn({6, 6}, {.device = kGpu});
  const auto g = [&](const Tensor& x) { return f(x.matmul(w)); };
  const Tensor x = randn({3, 6}, {.device = kGpu});
  Program program = compile(g, {x});
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, mine = std::make_shared<Program>(program.clone()), t] {
      const NoGradGuard no_grad;
      const cuda::Stream stream;
      const cuda::StreamGuard guard(stream);
      const Tensor in = x + t;
      const Tensor expected = g(in).cpu();
      for (int i = 0; i < 20; ++i) EXPECT_EQ(difference((*mine)(in).cpu(), expected), "");
      EXPECT_TRUE(is_one_graph(mine->replay())) << mine->replay();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(CudaProgram, AFailedRunForgetsWhereTheCounterStands) {
  bool fails = false;
  const Tensor x = ones({64}, {.device = kGpu});
  const auto g = [&](const Tensor& a) {
    const HostFunction check_it = [&](const Tensors& in) {
      check(!fails, ErrorKind::Value, "it fails");
      return in;
    };
    return host_call("check", check_it, {dropout(a, 0.5)}, std::array{a.meta()})[0];
  };
  Program program = compile(g, {x});
  manual_seed(4);
  (void)program(x);
  fails = true;
  expect_error([&] { (void)program(x); }, ErrorKind::Value, {"it fails"});
  fails = false;
  manual_seed(4);
  const Tensor got = program(x);
  manual_seed(4);
  expect_bits(got, g(x));
}

TEST_P(CudaProgram, IsSavedAndLoaded) {
  const std::string path =
      std::filesystem::temp_directory_path() / text("reprise_program_", ::getpid(), ".safetensors");
  const Tensor w = randn({4, 4}, {.device = kGpu}), x = randn({2, 4}, {.device = kGpu});
  Program program = compile([&](const Tensor& a) { return f(a.matmul(w)); }, {x});
  program.save(path);
  Program loaded = Program::load(path);
  std::filesystem::remove(path);
  for (int i = 0; i < 3; ++i) expect_bits(loaded(x), program(x));
}

// ---- models

TEST_P(CudaProgram, ModelsAreCompiledWhereTheirParametersLie) {
  manual_seed(3);
  SymbolicModel model = busy_model(kGpu);
  model.to(kGpu);
  SymbolicModel plain = model.detach_from_graph();
  model.compile({.batch_sizes = {6, 3}, .train = true});
  EXPECT_FALSE(contains(model.compile_report(), "layer by layer")) << model.compile_report();
  for (const int64_t batch : {3, 6, 3, 3, 6, 6}) {
    const Tensor x = randn({batch, 6, 4}).to(kGpu);
    const Tensors got = gradients(model, x, {0, 1}), expected = gradients(plain, x, {0, 1});
    EXPECT_EQ(difference(on_cpu(got), on_cpu(expected)), "");
  }
  EXPECT_TRUE(is_one_graph(model.compile_report())) << model.compile_report();
}

TEST_P(CudaProgram, ASymbolIsMovedAtReplay) {
  const Tensor x = Input({4});
  nn::Linear fc(4, 2);
  const Tensor h = fc(x).to(kGpu) * 2;
  SymbolicModel model(x, h.cpu() + 1);
  EXPECT_TRUE(contains(model.summary(), "To_1")) << model.summary();
  const Tensor in = randn({3, 4});
  const Tensor expected = fc(in) * 2 + 1;
  expect_bits(model(in), expected);
  model.compile();
  for (int i = 0; i < 3; ++i) expect_bits(model(in), expected);
}

}  // namespace
}  // namespace reprise::test
