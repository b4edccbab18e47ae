#include "../../../core/ops/host_call.h"
#include "builder.h"

namespace reprise::test {
namespace {

/// A captured gradient that is filled and then added to.
struct ZeroedSum : Builder {
  ValueId x = input({4}), gradient = capture(randn({4}));
  ValueId filled(double value = 0) {
    return call(Full{{4}, value, float32, Device::cpu()}, {}, gradient);
  }
  /// After the pass, which keeps the bits of -0, of NaN and of what else there is.
  std::string spared(ValueId last, std::initializer_list<ValueId> outputs = {}) {
    g.updates.push_back({gradient, last});
    const Graph before = finish(outputs), after = optimize(before, "spare_fills,hoist", true);
    const Tensors in{tensor({-0.0, 0.0, std::nan(""), -1e-45}, {.dtype = float32})};
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(SpareFills, MakesTheFillAConstant) {
  for (const double value : {0.0, -0.0, 2.0}) {
    ZeroedSum b;
    const ValueId z = b.filled(value);
    EXPECT_EQ(b.spared(b.call(Add{}, {z, b.x}, z)), "full | add");
    ZeroedSum turned;
    const ValueId y = turned.filled(value);
    EXPECT_EQ(turned.spared(turned.call(Sub{}, {turned.x, y}, y)), "full | sub");
  }
}

TEST(SpareFills, DropsAFillThatIsWrittenOver) {
  ZeroedSum b;
  const ValueId z = b.filled();
  b.g.updates.push_back({b.gradient, b.call(Copy{float32}, {b.x}, z)});
  EXPECT_EQ(calls(optimize(b.finish({}), "spare_fills,common_subexpressions", true)), "copy");
}

TEST(SpareFills, SparesOnlyTheLastOfSeveral) {
  ZeroedSum b;
  const ValueId first = b.filled();
  const ValueId sum = b.call(Add{}, {first, b.x}, first);
  const ValueId second = b.call(Full{{4}, 0, float32, Device::cpu()}, {}, sum);
  EXPECT_EQ(b.spared(b.call(Add{}, {second, b.x}, second)), "full full | add add");
}

TEST(SpareFills, LeavesWhatOthersReadAndWhatIsLarge) {
  ZeroedSum b;
  const ValueId z = b.filled(), y = b.call(Exp{}, {z});
  EXPECT_EQ(b.spared(b.call(Add{}, {z, b.x}, z), {y}), "full exp add");
  Builder large;
  const ValueId x = large.input({5000}), memory = large.capture(randn({5000}));
  const ValueId fill = large.call(Full{{5000}, 0, float32, Device::cpu()}, {}, memory);
  large.g.updates.push_back({memory, large.call(Add{}, {fill, x}, fill)});
  EXPECT_EQ(calls(optimize(large.finish({}), "spare_fills", true)), "full add");
}

TEST(SpareFills, PutsNoWriteOffBeyondACallWithEffects) {
  ZeroedSum b;
  const ValueId z = b.filled();
  const HostFunction look = [](const Tensors&) { return Tensors{}; };
  b.g.add_call(Model(HostCall{{std::make_shared<HostFunction>(look)}, "look", {}}), {b.x});
  b.g.updates.push_back({b.gradient, b.call(Add{}, {z, b.x}, z)});
  EXPECT_EQ(calls(optimize(b.finish({}), "spare_fills", true)), "full host_call add");
}

}  // namespace
}  // namespace reprise::test
