// trace: what becomes a call, a capture, an update, and what is refused.

#include "../../graph/trace.h"

#include <gtest/gtest.h>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/ops.h"
#include "../../graph/model.h"
#include "../../graph/verify.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../core/expect.h"

namespace reprise {
namespace {

using test::expect_error;

const Meta kVector({3}, float32);

Graph verified(Graph graph) {
  verify(graph);
  return graph;
}

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> out;
  for (const Call& call : graph.code) out.emplace_back(call.op->name());
  return out;
}

using Names = std::vector<std::string>;

TEST(Trace, WritesDownCallsInOrderAndRunsNothing) {
  const Tensor w = tensor({1., 2., 3.});
  const Graph g = verified(trace([&](const Tensor& x) { return (x * w).relu(); }, {kVector}));
  EXPECT_EQ(names(g), (Names{"mul", "relu"}));
  ASSERT_EQ(g.captures.size(), 1U);
  EXPECT_EQ(g.captures[0].tensor.raw_data(), w.raw_data());
  EXPECT_TRUE(g.updates.empty());
}

TEST(Trace, TakesFunctionsOfAnyForm) {
  EXPECT_EQ(
      trace([](const Tensors& in) { return in[0] + in[1]; }, {kVector, kVector}).outputs.size(),
      1U);
  EXPECT_EQ(trace([](const Tensor& x) { return max(x, 0); }, {kVector}).outputs.size(), 2U);
  EXPECT_EQ(
      trace([](const Tensor& x) { return std::pair(x + 1, x + 2); }, {kVector}).outputs.size(), 2U);
  Tensor count = zeros({});
  EXPECT_EQ(verified(trace([&] { count.add_(1); }, {})).updates.size(), 1U);
}

TEST(Trace, ViewsShareMemoryAndFollowWrites) {
  const Graph g = verified(trace(
      [](const Tensor& x) {
        Tensor y = x + 1;
        const Tensor row = y.view({3, 1});
        y.mul_(2);
        return row.relu();
      },
      {kVector}));
  // add, its constant, view, mul_ and its constant, after (row after the write), relu
  EXPECT_EQ(std::ranges::count(names(g), "after"), 1);
  for (const Call& call : g.code) {
    EXPECT_EQ(call.into != kNoValue, call.op->name() == "mul");
  }
}

TEST(Trace, WritesThroughAViewReachTheWhole) {
  verified(trace(
      [](const Tensor& x) {
        Tensor y = x.clone();
        y.slice(0, 0, 1).fill_(5);
        y.slice(0, 1, 2).fill_(6);
        return y;
      },
      {kVector}));
}

TEST(Trace, UpdatesOfCapturesAreInTheGraphAndTheCaptureStaysAsItWas) {
  Tensor total = tensor({1., 2., 3.});
  const uint32_t version = total.impl().storage->version();
  const Graph g = verified(trace([&](const Tensor& x) { total.add_(x); }, {kVector}));
  ASSERT_EQ(g.updates.size(), 1U);
  EXPECT_EQ(g.updates[0].root, g.captures[0].value);
  EXPECT_EQ(total.to_vector<float>(), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(total.impl().storage->version(), version);
}

TEST(Trace, ATrainingStepIsOneGraph) {
  nn::Linear fc(4, 2);
  optim::SGD sgd(fc.parameters(), {.lr = 0.1, .momentum = 0.9});
  const Graph g = verified(trace(
      [&](const Tensor& x) {
        sgd.zero_grad();
        const Tensor loss = fc(x).sum();
        loss.backward();
        sgd.step();
        return loss;
      },
      {Meta({3, 4}, float32)}));
  EXPECT_EQ(std::ranges::count(names(g), "sgd_step"), 2);
  EXPECT_GE(g.updates.size(), 4U);  // two parameters, two velocities
  for (const Tensor& p : fc.parameters()) EXPECT_FALSE(p.grad().defined());
}

TEST(Trace, AddsToGradientsThatAreThere) {
  Tensor w = tensor({1., 2., 3.}, {.requires_grad = true});
  w.set_grad(zeros({3}));
  const Graph g = verified(trace([&](const Tensor& x) { (x * w).sum().backward(); }, {kVector}));
  ASSERT_EQ(g.updates.size(), 1U);
  EXPECT_FALSE(w.grad().is_traced());
  EXPECT_EQ(w.grad().to_vector<float>(), (std::vector<float>{0, 0, 0}));
}

TEST(Trace, LeavesAGradientThatIsAViewWhereItWas) {
  Tensor w = tensor({1., 2., 3.}, {.requires_grad = true});
  const Tensor flat = zeros({4});
  w.set_grad(flat.slice(0, 0, 3));
  verified(trace([&](const Tensor& x) { (x * w).sum().backward(); }, {kVector}));
  ASSERT_TRUE(w.grad().defined());
  EXPECT_EQ(w.grad().raw_data(), flat.raw_data());
}

TEST(Trace, InputsThatRequireGradCanBeDifferentiated) {
  const Tensor x = tensor({1., 2., 3.}, {.requires_grad = true});
  const Graph g =
      verified(trace([](const Tensor& a) { return grad({(a * a).sum()}, {a})[0]; }, {x}));
  EXPECT_EQ(g.outputs.size(), 1U);
}

TEST(Trace, CallsKnowTheirLayer) {
  nn::Sequential net{nn::Linear(3, 3), nn::ReLU()};
  const Graph g = trace([&](const Tensor& x) { return net(x); }, {Meta({2, 3}, float32)});
  EXPECT_NE(g.code.front().where.find('0'), std::string::npos) << g.code.front().where;
}

TEST(Trace, CallsInASymbolicModelKnowTheirNode) {
  auto input = Input({3});
  SymbolicModel model(input, nn::Linear(3, 2)(input)(nn::ReLU()));
  const Graph g = trace([&](const Tensor& x) { return model(x); }, {Meta({2, 3}, float32)});
  EXPECT_EQ(g.code.front().where, "Linear_1");
  EXPECT_EQ(g.code.back().where, "ReLU_1");
}

TEST(Trace, ReadingAValueNamesTheReaderItsLineAndTheOp) {
  const auto read = [](const Tensor& x) {
    const Tensor total = x.sum();
    return total.item<float>() > 0 ? x : x.neg();
  };
  expect_error([&] { trace(read, {kVector}); }, ErrorKind::Graph,
               {"item at trace_test.cpp:", "float32[] that sum made", "known only at replay"});
  expect_error([&] { trace([](const Tensor& x) { x.to_vector<float>(); }, {kVector}); },
               ErrorKind::Graph, {"to_vector at trace_test.cpp:", "input of the trace"});
  expect_error([&] { trace([](const Tensor& x) { x.data<float>(); }, {kVector}); },
               ErrorKind::Graph, {"data at trace_test.cpp:"});
}

TEST(Trace, RefusesOutputsThatDoNotComeFromTheGraph) {
  const Tensor apart = tensor({1., 2., 3.});
  expect_error([&] { trace([&](const Tensor&) { return apart; }, {kVector}); }, ErrorKind::Graph,
               {"output 0", "does not come from the graph"});
  expect_error([&] { trace([&](const Tensor&) { return Tensor(); }, {kVector}); }, ErrorKind::Graph,
               {"output 0 is undefined"});
}

TEST(Trace, RefusesTensorsOfAnotherTrace) {
  Tensor kept;
  trace([&](const Tensor& x) { kept = x + 1; }, {kVector});
  expect_error([&] { kept.to_vector<float>(); }, ErrorKind::Graph, {"a trace that has ended"});
  expect_error([&] { kept.relu(); }, ErrorKind::Graph, {"a trace that has ended"});
  expect_error([&] { trace([&](const Tensor& x) { return x + kept; }, {kVector}); },
               ErrorKind::Graph, {"belongs to another trace"});
}

TEST(Trace, AnErrorLeavesEverythingAsItWas) {
  Tensor w = tensor({1., 2., 3.}, {.requires_grad = true});
  const auto failing = [&](const Tensor& x) {
    (x * w).sum().backward();
    {
      const NoGradGuard no_grad;
      w.sub_(w.grad());
    }
    return x.matmul(w.view({1, 3}));
  };
  expect_error([&] { trace(failing, {kVector}); }, ErrorKind::Shape, {"matmul"});
  EXPECT_FALSE(w.grad().defined());
  EXPECT_FALSE(w.is_traced());
  EXPECT_EQ(w.to_vector<float>(), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(interpreter(), nullptr);
}

TEST(Trace, ConstantsMadeInsideAreCapturedOrCalls) {
  const Graph g = verified(trace(
      [](const Tensor& x) {
        return x * tensor({1., 2., 3.}) + ones({3}) + tensor(std::vector{1.F, 2.F, 3.F});
      },
      {kVector}));
  EXPECT_EQ(g.captures.size(), 2U);
  EXPECT_EQ(std::ranges::count(names(g), "full"), 1);
}

TEST(Trace, TrainAndEvalGiveDifferentGraphs) {
  nn::Sequential net{nn::BatchNorm1d(3), nn::Dropout(0.5)};
  const auto run = [&](const Tensor& x) { return net(x); };
  const Graph training = verified(trace(run, {Meta({4, 3}, float32)}));
  net.eval();
  const Graph evaluating = verified(trace(run, {Meta({4, 3}, float32)}));
  EXPECT_EQ(std::ranges::count(names(training), "dropout"), 1);
  EXPECT_EQ(training.updates.size(), 3U);
  EXPECT_EQ(std::ranges::count(names(evaluating), "dropout"), 0);
  EXPECT_TRUE(evaluating.updates.empty());
}

}  // namespace
}  // namespace reprise
