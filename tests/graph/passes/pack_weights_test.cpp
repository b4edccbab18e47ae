#include "../../../core/ops/fused_conv.h"
#include "builder.h"

namespace reprise::test {
namespace {

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

TEST(PackWeights, LeavesWeightsOfAGpu) {
  Builder b;
  const ValueId x = b.input({2, 3, 6, 6}), weight = b.capture(randn({4, 3, 3, 3}));
  for (const ValueId id : {x, weight})
    b.g.values[static_cast<size_t>(id)].meta.device = Device::cuda();
  const ValueId y = b.call(Conv2d{}, {x, weight});
  EXPECT_EQ(calls(passes::pack_weights(b.finish({y}))), "conv2d");
}

}  // namespace
}  // namespace reprise::test
