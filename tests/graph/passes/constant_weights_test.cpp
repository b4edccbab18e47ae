#include "../../../autograd/tape.h"
#include "../../../core/ops/fused_conv.h"
#include "../../../graph/trace.h"
#include "../../../layers/nn.h"
#include "builder.h"

namespace reprise::test {
namespace {

/// An eval-mode model, traced and cleaned up.
template <class Model>
Graph traced(Model& model, const Shape& shape) {
  model.eval();
  const NoGradGuard no_grad;
  return optimize(trace([&](const Tensor& x) { return model(x); }, {Meta(shape, float32)}),
                  "dead_code,algebra,common_subexpressions", true);
}

std::string main_calls(const Graph& g) {
  const std::string all = calls(g);
  const size_t bar = all.find("| ");
  return bar == std::string::npos ? all : all.substr(bar + 2);
}

TEST(FoldBatchNorm, IntoAConvolution) {
  nn::Sequential model(nn::Conv2d(3, 4, 3), nn::BatchNorm2d(4), nn::ReLU());
  model(randn({8, 3, 6, 6}));  // moves the statistics
  const Graph before = traced(model, {2, 3, 6, 6});
  const Graph after = optimize(before, "fold_batch_norm,hoist", true);
  EXPECT_EQ(main_calls(after), "conv2d relu");
  const Tensors in{randn({2, 3, 6, 6})};
  expect_tensor(evaluate(after, in)[0], evaluate(before, in)[0], 1e-5);
  EXPECT_EQ(main_calls(optimize(before)), "fused_conv2d");
}

TEST(FoldBatchNorm, IntoALinearLayerWithoutBias) {
  nn::Sequential model(nn::Linear(3, 4, {.bias = false}), nn::BatchNorm1d(4));
  model(randn({8, 3}));
  const Graph before = traced(model, {2, 3});
  const Graph after = optimize(before, "fold_batch_norm,hoist", true);
  EXPECT_EQ(main_calls(after), "linear");
  const Tensors in{randn({2, 3})};
  expect_tensor(evaluate(after, in)[0], evaluate(before, in)[0], 1e-5);
}

TEST(FoldBatchNorm, LeavesWhatIsNotConstant) {
  Builder b;
  const ValueId x = b.input({2, 3, 4, 4}), weight = b.capture(randn({4, 3, 1, 1}));
  const ValueId scale = b.expand(b.input({1, 4, 1, 1}), {2, 4, 4, 4});
  const ValueId y = b.call(Mul{}, {b.call(Conv2d{}, {x, weight}), scale});
  EXPECT_EQ(calls(passes::fold_batch_norm(b.finish({y}))), "expand conv2d mul");
}

TEST(FoldBatchNorm, LeavesScalesAlongOtherDimensions) {
  Builder b;
  const ValueId x = b.input({2, 3, 4, 4}), weight = b.capture(randn({4, 3, 1, 1}));
  const ValueId columns = b.expand(b.capture(randn({4})), {2, 4, 4, 4});
  const ValueId y = b.call(Mul{}, {b.call(Conv2d{}, {x, weight}), columns});
  EXPECT_EQ(calls(passes::fold_batch_norm(b.finish({y}))), "expand conv2d mul");
}

TEST(PackWeights, AheadOfTheRuns) {
  Builder b;
  const ValueId x = b.input({2, 3, 6, 6});
  const ValueId weight = b.capture(randn({4, 3, 3, 3})), bias = b.capture(randn({4}));
  const ValueId y = b.call(Conv2d{}, {x, weight, bias});
  const Graph before = b.finish({b.call(Conv2d{}, {y, b.capture(randn({2, 4, 3, 3}))})});
  const Graph after = optimize(before, "pack_weights,hoist", true);
  EXPECT_EQ(calls(after), "pack_conv_weight pack_conv_weight | fused_conv2d fused_conv2d");
  const Tensors in{randn({2, 3, 6, 6})};
  expect_same_bits(evaluate(after, in), evaluate(before, in));
  EXPECT_EQ(calls(optimize(after, "pack_weights,hoist", true)), calls(after));
}

TEST(PackWeights, LeavesWeightsThatChange) {
  Builder b;
  const ValueId x = b.input({2, 3, 6, 6}), weight = b.capture(randn({4, 3, 3, 3}));
  const ValueId y = b.call(Conv2d{}, {x, weight});
  b.g.updates.push_back({weight, b.call(Neg{}, {weight}, weight)});
  EXPECT_EQ(calls(passes::pack_weights(b.finish({y}))), "conv2d neg");
}

}  // namespace
}  // namespace reprise::test
