#include "../../../core/ops/fused_pool.h"
#include "builder.h"

namespace reprise::test {
namespace {

struct PoolCase : Builder {
  ValueId x = input({2, 3, 9, 9}), gy = input({2, 3, 3, 3});
  Tensors in{randn({2, 3, 9, 9}), randn({2, 3, 3, 3})};
  ValueId y = kNoValue, indices = kNoValue;

  MaxPoolAttributes window{3, 3};

  void pool(const MaxPoolAttributes& a = {3, 3}) {
    window = a;
    const Call& call = g.add_call(Model(MaxPool2d{a}), {x});
    y = call.out[0], indices = call.out[1];
  }
  ValueId grad(Pair size = 9) { return call(MaxPool2dGrad{window, size}, {gy, indices}); }

  std::string shrunk(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::small_pool_places(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(SmallPoolPlaces, TakeAByteEach) {
  PoolCase b;
  b.pool();
  const ValueId gx = b.grad();
  EXPECT_EQ(b.shrunk({b.y, gx}), "fused_max_pool2d fused_max_pool2d_grad");
  const Graph after = passes::small_pool_places(b.g);
  EXPECT_EQ(after.meta(after.code[0].out[1]).nbytes(), size_t{2 * 3 * 3 * 3});
}

TEST(SmallPoolPlaces, ServeAnyNumberOfGradients) {
  PoolCase b;
  b.pool();
  const ValueId gx = b.grad(), other = b.grad();
  EXPECT_EQ(b.shrunk({gx, other}), "fused_max_pool2d fused_max_pool2d_grad fused_max_pool2d_grad");
}

TEST(SmallPoolPlaces, LeaveIndicesThatOthersRead) {
  PoolCase returned;
  returned.pool();
  const ValueId gx = returned.grad();
  EXPECT_EQ(returned.shrunk({gx, returned.indices}), "max_pool2d max_pool2d_grad");
  PoolCase gathered;
  gathered.pool();
  const ValueId gy =
      gathered.call(MaxPool2dGather{gathered.window}, {gathered.x, gathered.indices});
  EXPECT_EQ(gathered.shrunk({gathered.grad(), gy}), "max_pool2d max_pool2d_gather max_pool2d_grad");
  PoolCase viewed;
  viewed.pool();
  const ValueId flat = viewed.call(ViewAs{{2 * 3 * 3 * 3}}, {viewed.indices});
  EXPECT_EQ(viewed.shrunk({viewed.grad(), flat}), "max_pool2d view max_pool2d_grad");
}

TEST(SmallPoolPlaces, LeaveOtherImagesAndWindowsThatNeedMore) {
  PoolCase size;
  size.pool();
  EXPECT_EQ(size.shrunk({size.grad({10, 9})}), "max_pool2d max_pool2d_grad");
  PoolCase windows;
  windows.pool();
  windows.window.kernel_size = 2;
  EXPECT_EQ(windows.shrunk({windows.grad()}), "max_pool2d max_pool2d_grad");
  PoolCase dilated;
  dilated.pool({2, 3, 0, 2});
  EXPECT_EQ(dilated.shrunk({dilated.grad()}), "max_pool2d max_pool2d_grad");
  Builder large;
  const ValueId x = large.input({1, 1, 17, 17}), gy = large.input({1, 1, 1, 1});
  const MaxPool2d whole{{17, 17}};
  const ValueId indices = large.g.add_call(Model(whole), {x}).out[1];
  const Graph before = large.finish({large.call(MaxPool2dGrad{whole, 17}, {gy, indices})});
  EXPECT_EQ(calls(passes::small_pool_places(before)), "max_pool2d max_pool2d_grad");
}

TEST(SmallPoolPlaces, ComeWithAllPasses) {
  PoolCase b;
  const ValueId leaf = b.x;
  b.x = b.call(Relu{}, {leaf});
  b.pool();
  const ValueId gx = b.call(ReluGrad{}, {b.grad(), b.x});
  const Graph before = b.finish({b.y, gx}), after = optimize(before, "", true);
  EXPECT_EQ(calls(after), "relu fused_max_pool2d relu_grad fused_max_pool2d_grad");
  expect_same_bits(evaluate(after, b.in), evaluate(before, b.in));
}

}  // namespace
}  // namespace reprise::test
