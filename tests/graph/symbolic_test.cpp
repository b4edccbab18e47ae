// The symbolic graph: inputs, ops and layers on symbolic tensors, what nodes know of each other.

#include "../../graph/symbolic.h"

#include "../../core/allocator.h"
#include "../../core/random.h"
#include "../core/expect.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::expect_tensor;

std::string shape_of(const Tensor& x) { return shape_text(x.shape()); }

TEST(Input, ShapeBatchAndDtype) {
  EXPECT_EQ(shape_of(Input({3, 32, 32})), "(None, 3, 32, 32)");
  EXPECT_EQ(shape_of(Input({})), "(None,)");
  EXPECT_EQ(shape_of(Input({7}, {.batch_size = 4})), "(4, 7)");
  EXPECT_EQ(shape_of(Input({7}, {.batch_size = 4, .batch_shape = Shape{2, 3}})), "(2, 3)");
  EXPECT_EQ(shape_of(Input({}, {.batch_shape = Shape{}})), "()");
  EXPECT_EQ(shape_of(Input({}, {.batch_shape = Shape{kUnknown, 5}})), "(None, 5)");
  EXPECT_EQ(Input({2}).dtype(), float32);
  EXPECT_EQ(Input({2}, {.dtype = int64}).dtype(), int64);
  EXPECT_TRUE(Input({2}).is_symbolic());
  EXPECT_FALSE(Input({2}).has_data());
  EXPECT_FALSE(ones({2}).is_symbolic());
}

TEST(Input, NamesOfSizes) {
  const Tensor x = Input({3, 4, 5});
  EXPECT_EQ(x.batch_size(), kUnknown);
  EXPECT_EQ(x.C(), 3);
  EXPECT_EQ(x.channels(), 3);
  EXPECT_EQ(x.H(), 4);
  EXPECT_EQ(x.W(), 5);
  EXPECT_EQ(x.HW(), Pair(4, 5));
  EXPECT_EQ(x.CHW(), (std::array<int64_t, 3>{3, 4, 5}));
  EXPECT_EQ(x.HWC(), (std::array<int64_t, 3>{4, 5, 3}));
  EXPECT_EQ(Input({6}).features(), 6);
  EXPECT_EQ(Input({6}, {.batch_size = 2}).batch_size(), 2);
  EXPECT_EQ(Input({6}, {.batch_size = 2}).numel(), 12);
}

TEST(Symbolic, PrintsShapeAndNeighbours) {
  const Tensor x = Input({3}), y = relu(x) + x;
  EXPECT_EQ(to_string(x), "<SymbolicTensor (None, 3); 0 parents; 2 children>");
  EXPECT_EQ(to_string(y), "<SymbolicTensor (None, 3); 2 parents; 0 children>");
}

TEST(Symbolic, NodesKnowEachOther) {
  const Tensor x = Input({4}), h = nn::Linear(4, 3)(x), r = h(nn::ReLU()), y = r + h * r;
  EXPECT_TRUE(parents(x).empty());
  EXPECT_EQ(layer(x), nullptr);
  EXPECT_EQ(depth(x), 0);
  EXPECT_EQ(depth(h), 1);
  EXPECT_EQ(depth(r), 2);
  EXPECT_EQ(depth(y), 4);
  EXPECT_EQ(layer(h)->name(), "Linear");
  EXPECT_EQ(layer(y)->name(), "add");
  ASSERT_EQ(parents(y).size(), 2u);
  EXPECT_EQ(&node_of("", parents(y)[0]), &node_of("", r));
  EXPECT_EQ(layer(parents(y)[1])->name(), "mul");
  ASSERT_EQ(children(h).size(), 2u);
  EXPECT_EQ(&node_of("", children(h)[0]), &node_of("", r));
  EXPECT_EQ(parents(x + x).size(), 1u) << "a parent counts once";
}

TEST(Symbolic, ANodeThatNobodyHoldsIsForgotten) {
  const Tensor x = Input({4});
  {
    const Tensor y = relu(x), z = exp(y);
    EXPECT_EQ(children(x).size(), 1u);
  }
  EXPECT_TRUE(children(x).empty());
  const Tensor z = exp(relu(x));
  EXPECT_EQ(children(x).size(), 1u) << "z holds its parents";
}

TEST(Symbolic, ShapesAreInferredAsOnRealTensors) {
  const Tensor x = Input({3, 8, 8}), v = Input({6}), known = Input({6}, {.batch_size = 2});
  const std::vector<std::pair<Tensor, std::string>> rows{
      {x + 1, "(None, 3, 8, 8)"},
      {2 - x / x, "(None, 3, 8, 8)"},
      {-x, "(None, 3, 8, 8)"},
      {v < 0.5, "(None, 6)"},
      {v * ones({1, 6}), "(None, 6)"},
      {v + ones({4, 1, 6}), "(4, None, 6)"},
      {mean(x), "()"},
      {mean(x, {2, 3}), "(None, 3)"},
      {sum(v, 0), "(6,)"},
      {x.reshape({-1, 64}), "(None, 64)"},
      {x.flatten(1), "(None, 192)"},
      {x.flatten(), "(None,)"},
      {x.permute({0, 2, 3, 1}), "(None, 8, 8, 3)"},
      {v.t(), "(6, None)"},
      {v.unsqueeze(1).expand({-1, 5, -1}), "(None, 5, 6)"},
      {x.slice(2, 0, -1, 2), "(None, 3, 4, 8)"},
      {v.select(1, 0), "(None,)"},
      {v[0], "(6,)"},
      {cat({v, v}, 1), "(None, 12)"},
      {cat({v, ones({1, 6})}), "(None, 6)"},
      {stack({v, v}, 1), "(None, 2, 6)"},
      {matmul(v, ones({6, 4})), "(None, 4)"},
      {linear(v, ones({4, 6})), "(None, 4)"},
      {conv2d(x, ones({5, 3, 3, 3})), "(None, 5, 6, 6)"},
      {max_pool2d(x, 2), "(None, 3, 4, 4)"},
      {max(v, 1).indices, "(None,)"},
      {softmax(v, 1), "(None, 6)"},
      {dropout(v), "(None, 6)"},
      {v.to(float64), "(None, 6)"},
      {clamp(v, 0, 1).clone().contiguous().detach(), "(None, 6)"},
      {where(v > 0, v, 0), "(None, 6)"},
      {cross_entropy(v, Input({}, {.dtype = int64})), "()"},
      {mse_loss(v, v, Reduction::none), "(None, 6)"},
      {known * 2, "(2, 6)"},
      {known.flatten(), "(12,)"},
      {known.reshape({3, -1}), "(3, 4)"},
  };
  for (const auto& [y, expected] : rows) {
    EXPECT_EQ(shape_of(y), expected) << layer(y)->name();
    EXPECT_TRUE(y.is_symbolic()) << layer(y)->name();
  }
  EXPECT_EQ((v < 0.5).dtype(), bool_);
  EXPECT_EQ(v.to(float64).dtype(), float64);
}

TEST(Symbolic, ALayerIsOneNode) {
  const Tensor x = Input({4});
  const Tensor y = nn::Sequential(nn::Linear(4, 8), nn::ReLU(), nn::Linear(8, 2))(x);
  EXPECT_EQ(depth(y), 1);
  EXPECT_EQ(layer(y)->name(), "Sequential");
}

TEST(Symbolic, BuildingComputesNothing) {
  nn::Sequential net(nn::Linear(4, 4), nn::BatchNorm1d(4), nn::Dropout(0.5), nn::ReLU());
  const auto state = [&] {
    std::vector<std::vector<double>> out;
    for (const Tensor& buffer : net.buffers()) out.push_back(buffer.to_vector<double>());
    return out;
  };
  const auto before = state();
  const uint64_t offset = default_generator().offset();
  const int64_t allocations = memory_stats().allocations, in_use = memory_stats().in_use;
  const Tensor y = net(Input({4})), huge = dropout(Input({1 << 20, 1 << 20}), 0.5) * 2 + 1;
  EXPECT_EQ(memory_stats().in_use, in_use);
  EXPECT_EQ(memory_stats().allocations, allocations);
  EXPECT_EQ(default_generator().offset(), offset);
  EXPECT_EQ(state(), before);
  EXPECT_FALSE(y.requires_grad());
}

TEST(Symbolic, AChainOfAHundredThousandNodesBuildsRunsAndDies) {
  constexpr int kLength = 100'000;
  const Tensor x = Input({2});
  Tensor y = x;
  for (int i = 0; i < kLength; ++i) y = y + 1;
  EXPECT_EQ(depth(y), kLength);
  expect_tensor(SymbolicModel(x, y)(zeros({1, 2})), full({1, 2}, double{kLength}));
  y = Tensor();
  EXPECT_TRUE(children(x).empty());
}

}  // namespace
}  // namespace reprise
