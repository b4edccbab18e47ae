// What a program on a GPU is made of: graphs and the host steps between them, copies from and to
// the caller; and when it is captured.

#include "../../graph/cuda_replay.h"

#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../layers/nn.h"
#include "program_on_gpu.h"

namespace reprise::test {
namespace {

class OnFake : public ProgramOnFake {};
class CudaGraphs : public CudaProgram {};
INSTANTIATE_TEST_SUITE_P(All, CudaGraphs, testing::Bool(), device_name);

// ---- segments

using Function = std::function<Tensors(const Tensors&)>;

struct Divided {
  std::string name;
  Function f;
  bool from_host;  // where the inputs lie, [3, 4] and [3, 4]
  std::string replay;
};

/// The sum of what was seen, read on the host.
double seen = 0;
void look(const Tensor& x) { seen += sum(x).item<double>(); }

Tensor plus_random(const Tensor& x) {
  const HostFunction f = [](const Tensors& in) {
    return Tensors{in[0] + rand(in[0].shape(), {.device = in[0].device()})};
  };
  return host_call("plus_random", f, {x}, std::array{x.meta()})[0];
}

std::vector<Divided> divided() {
  const auto callback = [](const Tensors& in) {
    return Tensors{exp(nn::Callback(look)(tanh(in[0]) + in[1])).neg()};
  };
  const auto looks_at_input = [](const Tensors& in) {
    return Tensors{nn::Callback(look)(in[0]).neg() * in[1]};
  };
  const auto to_and_fro = [](const Tensors& in) {
    const Tensor there = in[0].to(kGpu).exp() * 2, back = there.cpu();
    return Tensors{(sum(back, 1) + 1).to(kGpu).neg(), back, in[1].cpu().neg()};
  };
  const auto random = [](const Tensors& in) {
    const Tensor x = dropout(in[0] + 3, 0.5);
    const Tensor more = rand({4}, {.device = kGpu});
    return Tensors{dropout(plus_random(x), 0.3) * more + rand({4}).to(kGpu), x};
  };
  const auto written = [](const Tensors& in) {
    Tensor x = in[0];
    x.add_(1);
    const Tensor y = nn::Callback(look)(x) * in[1];
    x.mul_(0.5);
    return Tensors{y + x};
  };
  const auto ends_on_host = [](const Tensors& in) { return Tensors{plus_random(in[0].exp())}; };
  return {
      {"callback", callback, false, "2 CUDA graphs of 2 kernels and 1 host step"},
      {"looks_at_input", looks_at_input, false, "2 CUDA graphs of 1 kernel and 1 host step"},
      {"from_the_host", to_and_fro, true, "3 CUDA graphs of 2 kernels and 6 host steps"},
      {"from_the_device", to_and_fro, false, "3 CUDA graphs of 2 kernels and 6 host steps"},
      {"random", random, false, "2 CUDA graphs of 8 kernels and 4 host steps"},
      {"written_input", written, false, "2 CUDA graphs of "},
      {"ends_on_host", ends_on_host, false, "2 CUDA graphs of 1 kernel and 1 host step"},
  };
}

TEST_P(CudaGraphs, HostStepsRunBetweenGraphs) {
  const NoGradGuard no_grad;
  for (const Divided& c : divided()) {
    SCOPED_TRACE(c.name);
    const auto inputs = [&] {
      manual_seed(3);
      Tensors in{randn({3, 4}), randn({3, 4})};
      for (Tensor& x : in) x = c.from_host ? x : x.to(kGpu);
      return in;
    };
    const auto five_runs = [&](const Function& f) {
      const Tensors in = inputs();
      seen = 0;
      Tensors out;
      for (int i = 0; i < 5; ++i) {
        for (const Tensor& y : f(in)) out.push_back(y.cpu());
        out.push_back(tensor(seen));
        out.push_back(in[0].cpu());
      }
      return out;
    };
    const Tensors examples = inputs();
    Program program = compile(c.f, {examples[0], examples[1]});
    const Tensors expected = five_runs(c.f);
    const Function replay = [&](const Tensors& in) { return program.call(in); };
    EXPECT_EQ(difference(five_runs(replay), expected), "");
    EXPECT_EQ(difference(five_runs(replay), expected), "");
    EXPECT_EQ(program.replay().find(c.replay), 0U) << program.replay();
    EXPECT_NE(program.replay().find(" host step"), std::string::npos) << program.replay();
    EXPECT_NE(program.report().find(program.replay()), std::string::npos) << program.report();
  }
}

TEST_F(OnFake, WhatRunsOnAnotherGpuIsNotCaptured) {
  const auto f = [](const Tensor& x) { return (x.exp().cuda(1).neg() * 2).cuda(0).tanh(); };
  const Tensor x = randn({3, 4}).cuda();
  Program program = compile(f, {x});
  for (int i = 0; i < 4; ++i) expect_bits(program(x), f(x));
  EXPECT_EQ(program.replay().find("2 CUDA graphs of 2 kernels and "), 0U) << program.replay();
  EXPECT_EQ(fake_.runtime.live_graphs, 2);
}

TEST_P(CudaGraphs, AHostStepThatFailsLeavesAProgramThatRuns) {
  bool fails = false;
  const auto f = [&](const Tensor& x) {
    const HostFunction g = [&](const Tensors& in) {
      check(!fails, ErrorKind::Value, "it fails");
      return Tensors{in[0] * 2};
    };
    return dropout(host_call("g", g, {dropout(x, 0.5)}, std::array{x.meta()})[0], 0.5);
  };
  const Tensor x = randn({64}).to(kGpu);
  Program program = compile(f, {x});
  for (int i = 0; i < 6; ++i) {
    fails = i % 2 == 1;
    if (fails) {
      EXPECT_THROW((void)program(x), Error);
      continue;
    }
    manual_seed(4);
    const Tensor got = program(x);
    manual_seed(4);
    expect_bits(got, f(x));
  }
  EXPECT_EQ(program.replay(), "2 CUDA graphs of 4 kernels and 1 host step");
}

// ---- who captures, and when

TEST_P(CudaGraphs, IsCapturedWhoeverRunsIt) {
  if (GetParam()) GTEST_SKIP() << "a fake device is for one thread";
  const Tensor w = randn({6, 6}).to(kGpu);
  const auto f = [&](const Tensor& x) { return sum(tanh(x.matmul(w)), 1); };
  const Tensor example = randn({3, 6}).to(kGpu);
  Program program = compile(f, {example});
  for (int i = 0; i < 6; ++i) {  // a thread and a stream of its own for each run
    std::thread([&] {
      const NoGradGuard no_grad;
      const cuda::Stream stream;
      const cuda::StreamGuard guard(stream);
      const Tensor x = example + i;
      expect_bits(program(x), f(x));
    }).join();
    EXPECT_EQ(is_one_graph(program.replay()), i >= 1) << program.replay();
  }
}

TEST_P(CudaGraphs, ThreadsThatMeetAreTurnedAway) {
  if (GetParam()) GTEST_SKIP() << "a fake device is for one thread";
  const Tensor example = randn({3, 6}).to(kGpu);
  const auto f = [](const Tensor& x) { return dropout(sum(tanh(x), 1), 0.0); };
  Program program = compile(f, {example});
  std::atomic<int> runs = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      const NoGradGuard no_grad;
      const cuda::Stream stream;
      const cuda::StreamGuard guard(stream);
      const Tensor x = example * t;
      const Tensor expected = f(x).cpu();
      for (int i = 0; i < 100; ++i) {
        try {
          EXPECT_EQ(difference(program(x).cpu(), expected), "");
          ++runs;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::Graph) << error.what();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(runs, 2);
  EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
}

TEST_P(CudaGraphs, AForkedChildMayDropIt) {
  const Tensor x = randn({3}).to(kGpu);
  const auto f = [](const Tensor& a) { return dropout(a, 0.0).exp(); };
  auto program = std::make_unique<Program>(compile(f, {x}));
  for (int i = 0; i < 3; ++i) (void)(*program)(x);
  const pid_t child = fork();
  if (child == 0) {
    int status = 1;
    try {
      (void)(*program)(x);
    } catch (const Error& error) {
      status = error.kind() == ErrorKind::Device ? 0 : 2;
    }
    program.reset();
    _exit(status);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  expect_bits((*program)(x), f(x));
}

TEST_F(OnFake, IsCapturedAnewWhenASettingChanged) {
  const Tensor x = randn({2, 3}).cuda();
  Program program = compile([](const Tensor& a) { return a.exp(); }, {x});
  const auto captures_of_four = [&] {
    fake_.runtime.take_log();
    for (int i = 0; i < 4; ++i) expect_bits(program(x), x.exp());
    return count(fake_.runtime.take_log(), "begin capture");
  };
  EXPECT_EQ(captures_of_four(), 1);
  EXPECT_EQ(captures_of_four(), 0);
  cuda::set_allow_tf32(false);  // as it is
  EXPECT_EQ(captures_of_four(), 0);
  cuda::set_allow_tf32(true);
  EXPECT_EQ(captures_of_four(), 1);
  cuda::set_allow_tf32(false);
  EXPECT_EQ(captures_of_four(), 1);
  EXPECT_EQ(fake_.runtime.live_graphs, 1);
}

TEST_F(OnFake, WhatWasHoistedIsMadeAnewWhenASettingChanged) {
  const Tensor w = randn({3}).cuda(), x = randn({2, 3}).cuda();
  Program program = compile([&](const Tensor& a) { return a * w.matmul(w); }, {x});
  const auto products_of_four = [&] {
    fake_.runtime.take_log();
    for (int i = 0; i < 4; ++i) (void)program(x);
    return count(fake_.runtime.take_log(), "matmul");
  };
  EXPECT_EQ(products_of_four(), 1);
  cuda::set_allow_tf32(true);
  EXPECT_EQ(products_of_four(), 1);
  cuda::set_allow_tf32(false);
  EXPECT_EQ(products_of_four(), 1);
  EXPECT_EQ(products_of_four(), 0);
}

/// x -> x + 1; keeps which setting its kernels met.
struct Probe {
  static constexpr std::string_view name = "probe";
  static inline std::vector<bool> met;
  Metas infer(std::span<const Meta> in) const { return {Meta(in[0].shape, in[0].dtype)}; }
  void cpu(const Launch& l) const {
    met.push_back(cuda::allow_tf32());
    *l.out[0].as<float>() = *l.in[0].as<float>() + 1;
  }
  void cuda(const Launch& l) const { cpu(l); }
};

TEST_F(OnFake, ARunKeepsTheSettingWithWhichItBegan) {
  bool changes = false;
  const HostFunction others = [&](const Tensors& in) {
    const bool allow = cuda::allow_tf32();
    if (changes) std::thread([=] { cuda::set_allow_tf32(!allow); }).join();
    return in;
  };
  const Tensor w = ones({}).cuda(), x = ones({}).cuda();
  const auto f = [&](const Tensor& a) {  // a prologue, and a probe on either side of the host step
    const Tensor h = apply(Probe{}, a) + apply(Probe{}, w);
    return apply(Probe{}, host_call("others", others, {h}, std::array{h.meta()})[0]);
  };
  Program program = compile(f, {x});
  bool expected = false;
  for (const bool change : {false, false, false, true, true, false, true, false, false, false}) {
    changes = change;
    Probe::met.clear();
    EXPECT_EQ(program(x).item<float>(), 5);
    for (const bool met : Probe::met) EXPECT_EQ(met, expected);
    if (change) expected = !expected;
    EXPECT_EQ(cuda::allow_tf32(), expected);
  }
  EXPECT_EQ(Probe::met.size(), 2U);  // in the graphs, whose kernels were chosen then
  EXPECT_EQ(program.replay(), "2 CUDA graphs of 3 kernels and 1 host step");
  cuda::set_allow_tf32(!expected);
  cuda::set_allow_tf32(expected);  // nothing changed between two runs
  EXPECT_EQ(program(x).item<float>(), 5);
  EXPECT_EQ(program.replay(), "2 CUDA graphs of 3 kernels and 1 host step");
  cuda::set_allow_tf32(false);
}

TEST_F(OnFake, ACaptureThatOthersSpoiltIsTriedAgain) {
  const Tensor x = randn({2, 3}).cuda();
  const auto f = [](const Tensor& a) { return dropout(a.exp(), 0.5); };
  for (const int spoilt : {1, 3, 4}) {
    fake_.runtime.spoilt_captures = spoilt;
    fake_.runtime.take_log();
    Program program = compile(f, {x});
    for (int i = 0; i < 8; ++i) {
      manual_seed(2);
      const Tensor got = program(x);
      manual_seed(2);
      expect_bits(got, f(x));
    }
    EXPECT_EQ(is_one_graph(program.replay()), spoilt < 4) << program.replay();
    EXPECT_NE(program.report().find("that others spoilt (spoilt)"), std::string::npos)
        << program.report();
    EXPECT_EQ(count(fake_.runtime.take_log(), "begin capture"), std::min(spoilt + 1, 4));
    cuda::set_allow_tf32(spoilt == 1);  // whatever was spoilt before
    if (spoilt == 1) {
      for (int i = 0; i < 3; ++i) (void)program(x);
      EXPECT_EQ(program.replay().find("spoilt"), std::string::npos) << program.replay();
    }
  }
  EXPECT_EQ(fake_.runtime.live_graphs, 0);
}

/// One that a layer only met.
TEST_F(OnFake, AnErrorOfEarlierWorkDoesNotNameWhoWaits) {
  nn::Sequential net{nn::ReLU(), nn::Callback(look)};
  const Tensor x = ones({2, 3}).cuda();
  const auto error_of = [](const auto& run) -> std::string {
    try {
      (void)run();
    } catch (const Error& error) {
      return (error.is_late() ? "late: " : "") + std::string(error.what());
    }
    return "";
  };
  Program program = compile([&](const Tensor& a) { return net(a); }, {x});
  SymbolicModel model = [&] {
    const Tensor in = Input({3});
    return SymbolicModel(in, net(in) + 1);
  }();
  for (int i = 0; i < 4; ++i) {
    for (const bool compiled : {false, true}) {
      fake_.runtime.fault = "gather: of earlier";
      EXPECT_EQ(error_of([&] { return compiled ? program(x) : net(x); }),
                "late: gather: of earlier");
      fake_.runtime.fault = "gather: of earlier";
      EXPECT_EQ(error_of([&] { return model(x); }), "late: gather: of earlier");
    }
    expect_bits(program(x), net(x));
    if (i == 1) model.compile();
  }
}

// ---- copies from and to the caller

TEST_F(OnFake, MemoryThatAGraphRefusesIsCopiedApart) {
  const auto f = [](const Tensor& a) { return a.exp(); };
  const Tensor x = randn({4}).cuda(), y = zeros({4}).cuda();
  Program program = compile(f, {x});
  const auto run = [&](const Tensor& in) {
    fake_.runtime.take_log();
    program.run({in}, {y});
    const Log log = fake_.runtime.take_log();
    expect_bits(y, f(in));
    return log;
  };
  for (int i = 0; i < 2; ++i) run(x);
  fake_.runtime.refuses_copies = true;
  const Tensor other = randn({4}).cuda(), third = randn({4}).cuda();
  const std::string copy = "copy cuda:0 cuda:0 0";
  EXPECT_EQ(run(x), (Log{"launch graph 0 0", "record 0 0"}));
  EXPECT_EQ(run(other), (Log{"set copy", copy, "launch graph 0 0", "record 0 0"}));
  EXPECT_EQ(run(other), (Log{copy, "launch graph 0 0", "record 0 0"}));
  fake_.runtime.refuses_copies = false;
  EXPECT_EQ(run(third), (Log{"set copy", "launch graph 0 0", "record 0 0"}));
  EXPECT_EQ(run(third), (Log{"launch graph 0 0", "record 0 0"}));
  fake_.runtime.refuses_copies = true;
  for (int i = 0; i < 3; ++i) expect_bits(program(other), f(other));
}

TEST_P(CudaGraphs, HasTheSameBitsInLoopAndGraphWhereverInputsLie) {
  manual_seed(1);
  const Tensor many = randn({1 + 9 * 64}).to(kGpu), w = randn({64, 5}).to(kGpu);
  const auto f = [&](const Tensor& x) {
    return softmax(x, 1).matmul(w) + sum(x * x, 1, true) + mean(x, 0, true).sum();
  };
  const Tensor aligned = many.slice(0, 1, many.numel()).clone().view({9, 64});
  Program program = compile(f, {aligned});
  const Tensor expected = f(aligned).cpu();
  for (int i = 0; i < 4; ++i) {
    expect_bits(program(many.slice(0, 1, many.numel()).view({9, 64})), expected);
    expect_bits(program(aligned), expected);
  }
  EXPECT_TRUE(is_one_graph(program.replay())) << program.replay();
}

}  // namespace
}  // namespace reprise::test
