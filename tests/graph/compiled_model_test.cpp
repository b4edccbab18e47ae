// A compiled SymbolicModel: the same values as layer by layer, programs by kind of call, shared
// memory, what runs layer by layer.

#include <gtest/gtest.h>

#include <thread>

#include "../../autograd/tape.h"
#include "../core/expect.h"
#include "../layers/helpers.h"
#include "compiled_models.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::contains, test::difference, test::error_of, test::exact, test::expect_error;

/// The number in front of `what` in the report.
size_t number_before(const std::string& report, const std::string& what) {
  const size_t end = report.find(what);
  if (end == std::string::npos) return 0;
  const size_t begin = report.find_last_not_of("0123456789", end - 2) + 1;
  return std::stoul(report.substr(begin, end - begin));
}

size_t programs(const SymbolicModel& model) {
  return number_before(model.compile_report(), " of at most");
}

size_t arena_bytes(const SymbolicModel& model) {
  return number_before(model.compile_report(), " bytes\n");
}

SymbolicModel linear_relu() {
  const Tensor x = Input({3});
  return SymbolicModel(x, nn::ReLU()(nn::Linear(3, 2)(x)));
}

// ---- Values

TEST(CompiledModel, InfersTheSameBits) {
  const NoGradGuard no_grad;
  const auto check_model = [](SymbolicModel model, const Tensor& x) {
    for (bool training : {false, true}) {
      model.train(training);
      model.decompile();
      manual_seed(5);
      const Tensor first = model(x), second = model(x);
      for (bool at_once : {false, true}) {
        model.compile(exact());
        if (at_once && x.size(0) > 0) model.compile(exact({.batch_sizes = {x.size(0)}}));
        manual_seed(5);
        EXPECT_EQ(difference(model(x), first), "") << training;
        EXPECT_EQ(difference(model(x), second), "") << training;
        EXPECT_EQ(programs(model), 1U) << model.compile_report();
      }
      model.compile();
      manual_seed(5);
      EXPECT_EQ(difference(model(x), first), "") << training;
    }
  };
  check_model(test::toy_resnet(), randn({3, 3, 32, 32}));
  check_model(test::toy_resnet_called(), randn({1, 3, 32, 32}));
  check_model(test::net(), randn({4, 1, 28, 28}));
  check_model(linear_relu(), randn({0, 3}));
}

TEST(CompiledModel, SeveralInputsAndOutputs) {
  const Tensor a = Input({2}), b = Input({3}), unused = Input({1});
  const SymbolicModel model({b, a, unused}, {relu(b), b, nn::Linear(2, 2)(a), b});
  const Tensor x = randn({4, 3}), y = randn({4, 2}), z = zeros({4, 1});
  const Tensors expected = model.outputs(x, y, z);
  SymbolicModel(model).compile(exact());
  const Tensors out = model.outputs(x, y, z);
  EXPECT_EQ(difference(out, expected), "");
  EXPECT_NE(out[1].raw_data(), x.raw_data());
  EXPECT_NE(out[1].raw_data(), out[3].raw_data());
  EXPECT_EQ(programs(model), 1U) << model.compile_report();
}

TEST(CompiledModel, SeesParametersThatChange) {
  SymbolicModel model = linear_relu();
  const NoGradGuard no_grad;
  const Tensor x = randn({4, 3});
  model.compile();
  model(x);
  for (const Tensor& p : model.parameters()) Tensor(p).mul_(-1);
  const Tensor got = model(x);
  model.decompile();
  EXPECT_EQ(difference(got, model(x)), "");
}

TEST(CompiledModel, InputsOfAnyLayout) {
  SymbolicModel model = linear_relu();
  const NoGradGuard no_grad;
  const Tensor wide = randn({3, 4}), row = randn({1, 3});
  const Tensors inputs{randn({4, 3}), wide.t(), row.expand({4, 3}),
                       randn({8, 3}).slice(0, 0, 8, 2)};
  for (const Tensor& x : inputs) {
    model.decompile();
    const Tensor expected = model(x);
    model.compile(exact());
    EXPECT_EQ(difference(model(x), expected), "");
    EXPECT_EQ(programs(model), 1U) << model.compile_report();
  }
}

// ---- Kinds of calls

TEST(CompiledModel, OneProgramForEachKindOfCall) {
  const Tensor x = Input({3});
  SymbolicModel model(x, nn::BatchNorm1d(4)(nn::Linear(3, 4)(x)));
  model.compile();
  const Tensor data = randn({5, 3}), one = Tensor(data.clone()).requires_grad_();
  model(data);
  model(data);
  EXPECT_EQ(programs(model), 1U);
  model(one);
  EXPECT_EQ(programs(model), 2U) << "an input with a gradient";
  model.eval();
  model(data);
  EXPECT_EQ(programs(model), 3U) << "another mode";
  {
    const NoGradGuard no_grad;
    model(data);
    model(one);
    EXPECT_EQ(programs(model), 4U) << "no gradients";
    model(randn({6, 3}));
    EXPECT_EQ(programs(model), 5U) << "another batch";
  }
  model.requires_grad_(false);
  model(data);
  EXPECT_EQ(programs(model), 6U) << "frozen parameters";
  EXPECT_FALSE(model(data).requires_grad());
}

TEST(CompiledModel, ModesOfLayersAreSeen) {
  nn::BatchNorm1d norm(3);
  const Tensor x = Input({3});
  SymbolicModel model(x, nn::Dropout(0.5)(norm(x)));
  model.compile();
  const NoGradGuard no_grad;
  const Tensor data = randn({50, 3});
  model.eval();
  EXPECT_EQ(difference(model(data), model(data)), "");
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 0);
  model.train();
  EXPECT_NE(difference(model(data), model(data)), "");
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 2);
  norm.eval();
  model(data);
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 2);
}

TEST(CompiledModel, TheLeastRecentlyUsedProgramGoes) {
  SymbolicModel model = linear_relu();
  model.compile({.max_programs = 2});
  const NoGradGuard no_grad;
  for (int64_t batch : {1, 2, 1, 3}) model(randn({batch, 3}));
  const std::string report = model.compile_report();
  EXPECT_EQ(programs(model), 2U);
  EXPECT_TRUE(contains(report, "float32[1, 3]") && contains(report, "float32[3, 3]")) << report;
  EXPECT_FALSE(contains(report, "float32[2, 3]")) << report;
}

TEST(CompiledModel, SmallerBatchesLieInTheArenaOfTheLargest) {
  SymbolicModel model = test::toy_resnet(), single = test::toy_resnet();
  const NoGradGuard no_grad;
  for (const std::string passes : {"none", ""}) {
    single.compile({.batch_sizes = {8}, .compile = {.passes = passes}});
    model.decompile();
    std::vector<Tensor> inputs, expected;
    manual_seed(2);
    model.eval();
    for (int64_t batch : {8, 5, 3, 1, 8, 3}) {
      inputs.push_back(randn({batch, 3, 32, 32}));
      expected.push_back(model(inputs.back()));
    }
    model.compile({.compile = {.passes = passes}});
    for (size_t i = 0; i < inputs.size(); ++i) {
      test::expect_tensor(model(inputs[i]), expected[i], passes == "none" ? 0 : 1e-5);
    }
    EXPECT_EQ(programs(model), 4U);
    single.eval();
    single(inputs[0]);
    EXPECT_GT(arena_bytes(model), 0U);
    model.compile({.batch_sizes = {1, 8, 3, 5}, .train = true, .compile = {.passes = passes}});
    EXPECT_EQ(programs(model), 8U);
    SymbolicModel(model).compile(
        {.batch_sizes = {8}, .train = true, .compile = {.passes = passes}});
    const size_t largest = arena_bytes(model);
    model.compile({.batch_sizes = {1, 8, 3, 5}, .train = true, .compile = {.passes = passes}});
    EXPECT_EQ(arena_bytes(model), largest) << model.compile_report();
  }
}

/// The programs have one place in their arena for what they work out ahead, and different values.
TEST(CompiledModel, WhatDependsOnTheBatchIsWorkedOutAgain) {
  struct AddBatch : nn::Layer<AddBatch> {
    Tensor w = tensor({1., 2.});
    Tensor forward(const Tensor& x) const { return x + (w * x.size(0)).exp(); }
  };
  const Tensor x = Input({2});
  SymbolicModel model(x, AddBatch()(x));
  const NoGradGuard no_grad;
  model.compile();
  for (int64_t batch : {4, 2, 4, 4, 1, 2}) {
    const Tensor data = zeros({batch, 2});
    test::expect_tensor(model(data), AddBatch()(data), 1e-5);
  }
  EXPECT_TRUE(contains(model.compile_report(), "shared memory")) << model.compile_report();
}

TEST(CompiledModel, ConvertedParametersMakeNewPrograms) {
  SymbolicModel model = linear_relu();
  const NoGradGuard no_grad;
  const Tensor x = randn({2, 3});
  model.compile(exact());
  model(x);
  model.to(float64);
  EXPECT_EQ(error_of([&] { model(x); }),
            "Linear_1: linear: expected operands of one floating-point dtype, got float32 and "
            "float64");
  EXPECT_EQ(programs(model), 0U) << "none with the old storage is kept";
  model.to(float32);
  const Tensor got = model(x);
  model.decompile();
  EXPECT_EQ(difference(got, model(x)), "");
}

TEST(CompiledModel, CopiesShareIt) {
  SymbolicModel model = linear_relu();
  const SymbolicModel copy = model;
  EXPECT_FALSE(copy.is_compiled());
  model.compile();
  EXPECT_TRUE(copy.is_compiled());
  copy(randn({2, 3}));
  EXPECT_EQ(programs(model), 1U);
  model.decompile();
  EXPECT_FALSE(copy.is_compiled());
  EXPECT_EQ(copy.compile_report(), "SymbolicModel: not compiled\n");
}

// ---- What runs layer by layer

struct ReadsValues : nn::Layer<ReadsValues> {
  Tensor forward(const Tensor& x) {
    if (!x.has_data()) return x * 2;
    return x.sum().item<float>() > 0 ? x * 2 : x * 3;
  }
};

TEST(CompiledModel, ALayerThatReadsValues) {
  const Tensor x = Input({2});
  SymbolicModel model(x, nn::ReLU()(ReadsValues()(x)));
  model.compile();
  EXPECT_EQ(model(tensor({{1., 2.}})).to_vector<float>(), (std::vector<float>{2, 4}));
  EXPECT_EQ(model(tensor({{-4., 2.}})).to_vector<float>(), (std::vector<float>{0, 6}));
  const std::string report = model.compile_report();
  EXPECT_TRUE(contains(report, "parts between C++ code (ReadsValues_1)\n")) << report;
  SymbolicModel alone(x, ReadsValues()(x));
  alone.compile();
  EXPECT_EQ(alone(tensor({{1., 2.}})).to_vector<float>(), (std::vector<float>{2, 4}));
  const std::string reason = alone.compile_report();
  EXPECT_TRUE(contains(reason, "layer by layer, since ReadsValues_1") && contains(reason, "item"))
      << reason;
}

TEST(CompiledModel, HooksInside) {
  nn::Linear layer(3, 2);
  const Tensor x = Input({3});
  SymbolicModel model(x, relu(layer(x)));
  model.compile();
  const Tensor data = randn({2, 3});
  model(data);
  int calls = 0;
  auto hook = layer.register_forward_pre_hook([&](const nn::Module&, Tensors&) { ++calls; });
  model(data);
  model(data);
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(contains(model.compile_report(), "Linear has hooks")) << model.compile_report();
  hook.remove();
  model(data);
  EXPECT_EQ(calls, 2);
  EXPECT_FALSE(contains(model.compile_report(), "hooks"));
}

TEST(CompiledModel, HooksOfTheModelItselfRun) {
  SymbolicModel model = linear_relu();
  model.compile();
  int calls = 0;
  model.register_forward_hook(
      [&](const nn::Module&, std::span<const Tensor>, Tensors&) { ++calls; });
  model(randn({2, 3}));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(programs(model), 1U);
}

TEST(CompiledModel, InsideATraceAndOnSymbolsItIsTraversed) {
  SymbolicModel model = linear_relu();
  const Tensor data = randn({2, 3});
  const NoGradGuard no_grad;
  const Tensor expected = model(data);
  model.compile();
  Program program = compile([&](const Tensor& x) { return model(x) * 2; }, {data});
  EXPECT_EQ(difference(program(data), expected * 2), "");
  const Tensor x = Input({3});
  SymbolicModel outer(x, model(x) * 2);
  EXPECT_EQ(difference(outer(data), expected * 2), "");
  outer.compile();
  EXPECT_EQ(difference(outer(data), expected * 2), "");
  EXPECT_EQ(programs(outer), 1U) << outer.compile_report();
  EXPECT_EQ(model(meta_tensor(Meta({7, 3}, float32))).shape(), (Shape{7, 2}));
}

TEST(CompiledModel, CallbacksAreStepsOfThePrograms) {
  std::vector<std::vector<float>> seen;
  const nn::Callback look([&](const Tensor& t) { seen.push_back(t.to_vector<float>()); });
  const Tensor x = Input({2});
  SymbolicModel model(x, look(x * 2) + 1);
  model.compile(exact());
  EXPECT_EQ(model(tensor({{1., 2.}})).to_vector<float>(), (std::vector<float>{3, 5}));
  EXPECT_EQ(model(tensor({{3., 4.}})).to_vector<float>(), (std::vector<float>{7, 9}));
  EXPECT_EQ(seen, (std::vector<std::vector<float>>{{2, 4}, {6, 8}}));
  EXPECT_EQ(programs(model), 1U) << model.compile_report();
  const Tensor data = tensor({{1., 2.}}, {.requires_grad = true});
  model(data).sum().backward();
  EXPECT_EQ(seen.size(), 3U) << "once per forward";
  EXPECT_EQ(data.grad().to_vector<float>(), (std::vector<float>{2, 2}));
}

TEST(CompiledModel, ACallbackMayCallTheModel) {
  const Tensor x = Input({2}), data = tensor({{1., 2.}});
  int depth = 0;
  std::unique_ptr<SymbolicModel> model;
  const nn::Callback again([&](const Tensor& t) {
    if (++depth == 3) return;
    EXPECT_EQ((*model)(t.clone()).to_vector<float>(), t.to_vector<float>());
  });
  model = std::make_unique<SymbolicModel>(x, again(x) * 1);
  model->compile();
  (*model)(data);
  EXPECT_EQ(depth, 3);
}

TEST(CompiledModel, AnErrorOfACallbackLeavesItUsable) {
  bool fails = true;
  const nn::Callback look([&](const Tensor&) {
    if (fails) throw std::runtime_error("no");
  });
  const Tensor x = Input({2}), data = tensor({{1., 2.}});
  SymbolicModel model(x, look(x) * 2);
  model.compile();
  EXPECT_ANY_THROW(model(data));
  fails = false;
  EXPECT_EQ(model(data).to_vector<float>(), (std::vector<float>{2, 4}));
  EXPECT_EQ(programs(model), 1U);
}

// ---- Errors

TEST(CompiledModel, WrongInputsAreNamedAsBefore) {
  const Tensor a = Input({3}), b = Input({3});
  SymbolicModel model({a, b}, a + nn::Linear(3, 3)(b));
  const auto texts = [&] {
    const Tensor x = randn({2, 3});
    return std::array{error_of([&] { model(x); }), error_of([&] {
                        model(x, randn({2, 4}));
                      }),
                      error_of([&] { model(x, x.to(float64)); }),
                      error_of([&] { model(x, Tensor()); }), error_of([&] {
                        model(x, randn({5, 3}));
                      })};
  };
  const auto expected = texts();
  model.compile();
  model(randn({2, 3}), randn({2, 3}));
  EXPECT_EQ(texts(), expected);
  EXPECT_EQ(programs(model), 1U);
}

TEST(CompiledModel, ErrorsInsideKernelsNameTheLayer) {
  const Tensor x = Input({3}), index = Input({1}, {.dtype = int64});
  struct Pick : nn::Layer<Pick> {
    Tensor forward(const Tensor& values, const Tensor& i) const { return gather(values, 1, i); }
  };
  SymbolicModel inner({x, index}, Pick()(relu(x), index));
  const Tensor y = Input({3}), at = Input({1}, {.dtype = int64});
  SymbolicModel model({y, at}, inner(y, at) * 2);
  const auto fault = [&] { return error_of([&] { model(randn({2, 3}), tensor({{0}, {9}})); }); };
  const std::string expected = fault();
  EXPECT_TRUE(contains(expected, "Pick_1")) << expected;
  model.compile();
  EXPECT_EQ(fault(), expected);
  EXPECT_EQ(model(tensor({{1., 2., 3.}}), tensor({{2}})).item<float>(), 6);
  EXPECT_EQ(programs(model), 2U) << model.compile_report();
}

TEST(CompiledModel, OptionsAreChecked) {
  SymbolicModel model = linear_relu();
  expect_error([&] { model.compile({.max_programs = 0}); }, ErrorKind::Value, {"max_programs"});
  expect_error(
      [&] {
        model.compile({.batch_sizes = {1, 2}, .train = true, .max_programs = 3});
      },
      ErrorKind::Value, {"max_programs of at least 4"});
  expect_error([&] { model.compile({.batch_sizes = {0}}); }, ErrorKind::Value, {"batch sizes"});
  expect_error([&] { model.compile({.compile = {.passes = "no_such_pass"}}); }, ErrorKind::Value,
               {"no_such_pass", "hoist"});
  EXPECT_FALSE(model.is_compiled());
}

// ---- Threads

TEST(CompiledModel, ServesSeveralThreads) {
  SymbolicModel model = test::net();
  const Tensor x = randn({2, 1, 28, 28});
  const Tensor expected = [&] {
    const NoGradGuard no_grad;
    return model(x);
  }();
  model.compile(exact());
  const auto work = [&] {
    const NoGradGuard no_grad;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(difference(model(x), expected), "");
  };
  std::jthread a(work), b(work), c(work);
}

}  // namespace
}  // namespace reprise
