// Program: same bits as eager, in one arena, without allocation; what is refused.

#include "../../graph/program.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <thread>

#include <unistd.h>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/dispatch.h"
#include "../../core/ops.h"
#include "../../core/ops/host_call.h"
#include "../../core/random.h"
#include "../../io/safetensors.h"
#include "../../layers/callback.h"
#include "../../layers/nn.h"
#include "../core/expect.h"

namespace reprise {
namespace {

using test::expect_error;

const CompileOptions kChecked{.check_memory = true};

void expect_same_bits(const Tensor& got, const Tensor& expected) {
  ASSERT_EQ(got.shape(), expected.shape());
  ASSERT_EQ(got.dtype(), expected.dtype());
  const Tensor a = got.contiguous(), b = expected.contiguous();
  if (a.numel() == 0) return;
  EXPECT_EQ(std::memcmp(a.raw_data(), b.raw_data(), a.meta().nbytes()), 0) << got << expected;
}

TEST(Program, ReplaysALayerToTheBit) {
  manual_seed(1);
  nn::Sequential net{nn::Conv2d(3, 8, 3, {.padding = 1}), nn::ReLU(), nn::MaxPool2d(2),
                     nn::Flatten(), nn::Linear(8 * 4 * 4, 10)};
  const NoGradGuard no_grad;
  const Tensor x = randn({2, 3, 8, 8});
  for (const CompileOptions& options :
       {CompileOptions{}, kChecked, CompileOptions{.passes = "none"}}) {
    Program program = compile([&](const Tensor& a) { return net(a); }, {x}, options);
    for (int i = 0; i < 3; ++i) {
      const Tensor y = randn({2, 3, 8, 8});
      expect_same_bits(program(y), net(y));
    }
  }
}

TEST(Program, SeesParametersThatChange) {
  const NoGradGuard no_grad;
  nn::Linear fc(3, 2);
  const Tensor x = randn({4, 3});
  Program program = compile([&](const Tensor& a) { return fc(a); }, {x});
  for (const Tensor& p : fc.parameters()) Tensor(p).mul_(2);
  expect_same_bits(program(x), fc(x));
}

TEST(Program, WorksOutAgainWhatDependsOnCapturesThatChanged) {
  Tensor w = tensor({1., 2., 3.});
  Program program = compile([&](const Tensor& x) { return x + (w * w).exp(); }, {w});
  EXPECT_GE(program.graph().prologue, 1);
  const Tensor x = zeros({3});
  expect_same_bits(program(x), (w * w).exp());
  w.fill_(2);
  expect_same_bits(program(x), (w * w).exp());
  w.data<float>()[0] = 0;
  program.refresh();
  expect_same_bits(program(x), (w * w).exp());
}

TEST(Program, WritesUpdatesWhereTheyBelong) {
  Tensor total = zeros({3});
  const Tensor x = tensor({1., 2., 3.});
  Program program = compile(
      [&](const Tensor& a) {
        total.add_(a);
        return total * 2;
      },
      {x});
  const uint32_t version = total.impl().storage->version();
  for (int i = 1; i <= 3; ++i) expect_same_bits(program(x), x * 2 * i);
  expect_same_bits(total, x * 3);
  EXPECT_GT(total.impl().storage->version(), version);
}

TEST(Program, WritesInputsThatTheFunctionChanges) {
  Tensor x = tensor({1., 2., 3.});
  Program program = compile([](Tensor a) { a.mul_(2); }, {x});
  program.run({x}, {});
  EXPECT_EQ(x.to_vector<float>(), (std::vector<float>{2, 4, 6}));
  const Tensor wide = tensor({1., 2., 3., 4., 5., 6.});
  expect_error([&] { program.run({wide.slice(0, {}, {}, 2)}, {}); }, ErrorKind::Value,
               {"input 0", "written in place"});
}

TEST(Program, RefusesWrittenInputsThatOverlapWhatIsRead) {
  const Tensor w = ones({3});
  const auto f = [&](Tensor a, const Tensor& b) { return a.mul_(2) + b * w; };
  const Tensor both = ones({6}), x = both.slice(0, 0, 3), y = both.slice(0, 2, 5);
  Program program = compile(f, {x, w});
  expect_error([&] { program(x, y); }, ErrorKind::Value, {"input 0 overlaps input 1"});
  expect_error([&] { program(w, x); }, ErrorKind::Value, {"input 0 overlaps c0"});
  Tensor out = zeros({3});
  expect_error(
      [&] {
        program.run({out, x}, {out});
      },
      ErrorKind::Value, {"output 0 overlaps input 0"});
  const Tensor apart = both.slice(0, 3, 6);
  const Tensor sum = program(x, apart);
  expect_same_bits(sum, x + apart);  // x was doubled
}

TEST(Program, ReturnsInputsViewsCapturesAndOneValueTwice) {
  const Tensor w = tensor({5., 6., 7.});
  const Tensor x = tensor({1., 2., 3.});
  Program program = compile(
      [&](const Tensor& a) {
        const Tensor y = a + w;
        return Tensors{a, w, y, y, y.slice(0, 1, 3), y.view({3, 1})};
      },
      {x}, kChecked);
  const Tensors out = program.call(std::array{x});
  const Tensor y = x + w;
  expect_same_bits(out[0], x);
  expect_same_bits(out[1], w);
  expect_same_bits(out[2], y);
  expect_same_bits(out[3], y);
  expect_same_bits(out[4], y.slice(0, 1, 3));
  expect_same_bits(out[5], y.view({3, 1}));
}

TEST(Program, TakesInputsOfAnyLayout) {
  const Tensor x = randn({4, 5});
  Program program = compile([](const Tensor& a) { return a.exp().sum({1}); }, {x});
  const Tensor other = randn({5, 4}).t();
  expect_same_bits(program(other), other.exp().sum({1}));
  Program transposed = compile([](const Tensor& a) { return a.exp().sum({1}); }, {other});
  expect_same_bits(transposed(x), x.exp().sum({1}));
  Program expanded = compile([](const Tensor& a) { return a + 1; }, {randn({1, 5}).expand({4, 5})});
  expect_same_bits(expanded(x), x + 1);
}

TEST(Program, DrawsNewNumbersAtEachRunAsEagerDoes) {
  const Tensor x = ones({64});
  const auto f = [](const Tensor& a) { return dropout(a, 0.5, true) + rand({64}); };
  Program program = compile(f, {x});
  manual_seed(7);
  const Tensor first = f(x), second = f(x);
  manual_seed(7);
  expect_same_bits(program(x), first);
  expect_same_bits(program(x), second);
}

TEST(Program, RefusesWrongInputsAndOutputsByName) {
  const Tensor w = ones({3});
  const Tensor x = ones({3});
  Program program = compile([&](const Tensor& a, const Tensor& b) { return a * w + b; }, {x, x});
  Tensor y = zeros({3});
  const Tensor pair = zeros({6});
  expect_error([&] { program.run({x}, {y}); }, ErrorKind::Value, {"expected 2 inputs, got 1"});
  expect_error([&] { program.run({x, x}, {}); }, ErrorKind::Value, {"expected 1 outputs, got 0"});
  expect_error(
      [&] {
        program.run({x, ones({4})}, {y});
      },
      ErrorKind::Shape, {"input 1 of float32[3]", "float32[4]"});
  expect_error(
      [&] {
        program.run({x, ones({3}, {.dtype = float64})}, {y});
      },
      ErrorKind::DType, {"input 1", "float64[3]"});
  expect_error(
      [&] {
        program.run({x, Tensor()}, {y});
      },
      ErrorKind::Value, {"input 1", "undefined"});
  expect_error(
      [&] {
        program.run({x, meta_tensor(x.meta())}, {y});
      },
      ErrorKind::Value, {"input 1", "meta"});
  expect_error([&] { program.run({x, x}, {zeros({4})}); }, ErrorKind::Shape, {"output 0"});
  expect_error([&] { program.run({x, y}, {y}); }, ErrorKind::Value, {"output 0 overlaps input 1"});
  expect_error([&] { program.run({x, x}, {w}); }, ErrorKind::Value, {"output 0 overlaps", "reads"});
  expect_error(
      [&] {
        program.run({x, x}, {pair.slice(0, {}, {}, 2)});
      },
      ErrorKind::Value, {"output 0", "dense"});
  program.run({x, x}, {y});  // and goes on
  expect_same_bits(y, x * w + x);
  expect_error([&] { program.run({x, y}, {y}); }, ErrorKind::Value, {"output 0 overlaps input 1"});
  program.run({x, x}, {y});
}

TEST(Program, SurvivesAnErrorInTheMiddle) {
  const Tensor x = tensor({1., 2., 3.});
  Program program =
      compile([](const Tensor& a, const Tensor& index) { return gather(a.exp(), 0, index).log(); },
              {x, tensor({0, 1})});
  expect_error([&] { program(x, tensor({0, 3})); }, ErrorKind::Index, {"gather", "3"});
  expect_same_bits(program(x, tensor({2, 0})), gather(x.exp(), 0, tensor({2, 0})).log());
}

TEST(Program, RunsOneAtATimeAndClonesRunBesideEachOther) {
  Tensor w = randn({64, 64});
  const auto f = [&](const Tensor& a) { return a.matmul(w).relu().matmul(w); };
  const Tensor x = randn({64, 64});
  Program program = compile(f, {x});
  const Tensor expected = f(x);
  std::atomic<int> refused = 0, ran = 0;
  const auto work = [&](Program& p) {
    for (int i = 0; i < 200; ++i) {
      try {
        expect_same_bits(p(x), expected);
        ++ran;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Graph);
        ++refused;
      }
    }
  };
  {
    std::jthread a([&] { work(program); }), b([&] { work(program); });
  }
  EXPECT_EQ(ran + refused, 400);
  EXPECT_GE(ran, 1);
  Program other = program.clone();
  refused = 0;
  {
    std::jthread a([&] { work(program); }), b([&] { work(other); });
  }
  EXPECT_EQ(refused, 0);
  w.fill_(0);
  expect_same_bits(other(x), zeros({64, 64}));
}

TEST(Program, TellsItsMemoryBeforeItRuns) {
  const Tensor w = randn({64});
  Program program =
      compile([&](const Tensor& x) { return (x.exp() + w).sum({1}); }, {Meta({32, 64}, float32)});
  const ProgramMemory memory = program.memory();
  EXPECT_EQ(memory.inputs, 32U * 64 * 4);
  EXPECT_EQ(memory.outputs, 32U * 4);
  EXPECT_EQ(memory.captures, 64U * 4);
  EXPECT_GE(memory.arena, memory.lower_bound);
  EXPECT_GE(memory.naive, memory.arena);
  EXPECT_NE(program.report().find("arena"), std::string::npos);
}

std::string temporary_file(const std::string& name) {
  return (std::filesystem::temp_directory_path() / (name + std::to_string(::getpid()))).string();
}

TEST(Program, IsSavedAndLoadedWithItsCaptures) {
  const NoGradGuard no_grad;
  nn::Sequential net{nn::Linear(6, 5), nn::ReLU(), nn::Linear(5, 2)};
  const Tensor wide = randn({4, 12});
  Tensor count = zeros({});
  const auto f = [&](const Tensor& x) {
    count.add_(1);
    return net(x) + wide.slice(1, 1, 3) + wide.slice(1, 7, 9);
  };
  const Tensor x = randn({4, 6});
  Program program = compile(f, {x}, {.names = net.state_dict()});
  const std::string path = temporary_file("program");
  program.save(path);
  Program loaded = Program::load(path);
  EXPECT_EQ(loaded.graph(), program.graph());
  expect_same_bits(loaded(x), program(x));
  for (const Tensor& p : net.parameters()) Tensor(p).fill_(0);  // the loaded one owns its captures
  EXPECT_NE(loaded(x).to_vector<float>(), program(x).to_vector<float>());
  std::filesystem::remove(path);
}

TEST(Program, RefusesFilesThatAreNone) {
  const std::string path = temporary_file("no_program");
  expect_error([&] { Program::load(path); }, ErrorKind::Io, {path});
  save_safetensors(path, {});
  expect_error([&] { Program::load(path); }, ErrorKind::Format, {path, "no graph"});
  const std::string graph = "%w = capture : float32[3]\nreturn %w\n";
  save_safetensors(path, {{"w", ones({2})}}, {{"reprise.graph", graph}});
  expect_error([&] { Program::load(path); }, ErrorKind::Format, {path, "capture w", "beyond"});
  save_safetensors(path, {{"w", ones({3}, {.dtype = float64})}}, {{"reprise.graph", graph}});
  expect_error([&] { Program::load(path); }, ErrorKind::Format, {path, "capture w", "float32"});
  const std::string overlapping =
      "%a = input : float32[4, 4]\n%c = capture : float32[4, 4 : 1, 1]\n"
      "%d = matmul(%a, %a) into %c : float32[4, 4 : 1, 1]\nupdate %c = %d\nreturn %d\n";
  save_safetensors(path, {{"c", ones({7})}}, {{"reprise.graph", overlapping}});
  expect_error([&] { Program::load(path); }, ErrorKind::Format, {path, "matmul", "not dense"});
  std::filesystem::remove(path);
}

TEST(Program, RefusesInputsThatOverlapWhatItWrites) {
  Tensor total = zeros({3});
  Program program = compile(
      [&](const Tensor& x) {
        const Tensor y = x.exp();
        total.add_(1);
        return y * 2;
      },
      {total});
  expect_error([&] { program(total); }, ErrorKind::Value, {"input 0 overlaps c0", "writes"});
}

TEST(Program, ClonesThatUpdateTheSameCapturesRunOneAtATime) {
  Tensor count = zeros({}, {.dtype = float64});
  Program program = compile([&] { count.add_(1); }, {});
  Program other = program.clone();
  std::atomic<int> ran = 0;
  const auto work = [&](Program& p) {
    for (int i = 0; i < 2000; ++i) {
      try {
        p.run({}, {});
        ++ran;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::Graph);
      }
    }
  };
  {
    std::jthread a([&] { work(program); }), b([&] { work(other); });
  }
  EXPECT_EQ(count.item<double>(), ran);
}

TEST(Program, TellsOthersOfUpdatesAlsoWhenAHostCallLookedInBetween) {
  Tensor w = ones({1});
  Program reader = compile([&](const Tensor& x) { return x + w.exp(); }, {w});
  const Tensor zero = zeros({1});
  Program writer = compile(
      [&] {
        const auto read = [&](std::span<const Tensor> in) { return Tensors{reader(in[0])}; };
        const Tensor y = host_call("read", read, {zeros({1})}, std::array{zero.meta()})[0];
        w.add_(y);
      },
      {});
  writer.run({}, {});
  expect_same_bits(reader(zero), w.exp());
}

TEST(Program, IsMadeOfWhatFusionCannotTake) {
  const Tensor w = randn({4, 10}, {.requires_grad = true}), x = randn({4, 10});
  const Tensor index = zeros({2, 1}, {.dtype = int64});
  const auto gradient = [&](const Tensor& a) {
    return grad({sum(gather(log_softmax(a * w, 1), 1, index))}, {w})[0];
  };
  const Tensor expected = gradient(x);
  expect_same_bits(compile(gradient, {x})(x), expected);

  const NoGradGuard no_grad;
  const Tensor weight = randn({4, 3}), shifts = randn({4, 5}), y = randn({2, 3});
  const auto shifted = [&](const Tensor& a) { return linear(a, weight) + shifts.select(1, 2); };
  test::expect_tensor(compile(shifted, {y})(y), shifted(y), 1e-5);
}

TEST(Program, SaysThatItWasMovedFrom) {
  const Tensor x = ones({3});
  Program program = compile([](const Tensor& a) { return a + 1; }, {x});
  const Program taken = std::move(program);
  expect_error([&] { program(x); }, ErrorKind::Value, {"moved from"});
}

TEST(Program, DoesNotSaveHostCalls) {
  const nn::Callback callback([](const Tensor&) {});
  Program program =
      compile([&](const Tensor& a) { return nn::Callback(callback)(a * 2); }, {ones({3})});
  const std::string path = temporary_file("host_call");
  expect_error([&] { program.save(path); }, ErrorKind::Graph, {"host call"});
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Program, RefusesToRunInsideATrace) {
  const Tensor x = ones({3});
  Program program = compile([](const Tensor& a) { return a + 1; }, {x});
  expect_error([&] { trace([&](const Tensor& a) { return program(a); }, {x}); }, ErrorKind::Graph,
               {"trace"});
}

}  // namespace
}  // namespace reprise
