// nn::Callback.

#include "../../layers/callback.h"

#include "../../graph/model.h"
#include "../../graph/trace.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::expect_equal;

/// Keeps what a Callback shows.
struct Seen {
  std::vector<Tensor> values;
  nn::Callback layer() {
    return nn::Callback([this](const Tensor& x) { values.push_back(x.clone()); });
  }
};

TEST(Callback, SeesItsInputAndPassesItOn) {
  Seen seen;
  const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}).requires_grad_();
  const Tensor y = seen.layer()(x * 2);
  (seen.layer()(y.t()) * y.t()).sum().backward();
  expect_equal(x.grad(), x * 8);
  ASSERT_EQ(seen.values.size(), 2U);
  expect_equal(seen.values[0], y);
  expect_equal(seen.values[1], y.t());
  EXPECT_FALSE(seen.values[0].requires_grad());
  EXPECT_EQ(error_of([] { nn::Callback(nullptr); }), "Callback: expected a function, got none");
}

TEST(Callback, WorksInASymbolicModel) {
  Seen seen;
  const Tensor x = Input({2});
  SymbolicModel model({x}, {seen.layer()(x + 1) * 2});
  EXPECT_TRUE(seen.values.empty());
  expect_equal(model(tensor({{1.0, 2.0}})), tensor({{4.0, 6.0}}));
  expect_equal(seen.values.at(0), tensor({{2.0, 3.0}}));
}

TEST(Callback, IsACallOfATracedGraph) {
  Seen seen;
  nn::Callback layer = seen.layer();
  const Graph graph = trace([&](const Tensor& x) { return layer(x + 1); }, {ones({2})});
  EXPECT_TRUE(seen.values.empty());
  ASSERT_FALSE(graph.code.empty());
  EXPECT_EQ(graph.code.back().op->name(), "host_call");
  ASSERT_EQ(graph.outputs.size(), 1U);
  EXPECT_EQ(graph.code.back().in.front(), graph.outputs.front());
}

}  // namespace
}  // namespace reprise
