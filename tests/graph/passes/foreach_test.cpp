// Calls over many tensors on a GPU, and gradients of 16 bits that updates read as they are.

#include "../../../core/ops/foreach.h"
#include "../../../core/cuda.h"
#include "../../../core/ops/host_call.h"
#include "../../../core/ops/update.h"
#include "builder.h"

namespace reprise::test {
namespace {

struct GpuBuilder : Builder {
  ValueId input(const Shape& shape, DType dtype = float32, Device device = Device::cuda()) {
    g.inputs.push_back(g.add_root(Meta(shape, dtype, device)));
    return g.inputs.back();
  }
  ValueId cast(ValueId x, DType dtype = bfloat16) { return call(Copy{dtype}, {x}); }
  ValueId add_into(ValueId x, ValueId y) { return call(Add{}, {x, y}, x); }
  ValueId fill(ValueId x, double value) {
    return call(Full{g.meta(x).shape, value, g.meta(x).dtype, Device::cuda()}, {}, x);
  }
  void look(ValueId x) {
    const HostFunction nothing = [](const Tensors&) { return Tensors(); };
    g.add_call(Model(HostCall{{std::make_shared<const HostFunction>(nothing)}, "look", {}}), {x});
  }
  /// What was written into inputs is a result.
  void update(ValueId root, ValueId last) { g.updates.push_back({root, last}); }
};

Tensors results(const Graph& graph) {
  Tensors in, out;
  for (const ValueId id : graph.inputs) {
    const Meta& meta = graph.meta(id);
    const Tensor x = arange(0, meta.numel()).to(float32) / 7 + static_cast<double>(in.size());
    in.push_back(reshape(x, meta.shape).to(meta.dtype).to(meta.device));
  }
  for (const Tensor& result : evaluate(graph, in)) out.push_back(result.cpu());
  return out;
}

/// The calls that a pass leaves; where there is a device they give the same bits.
std::string after(Graph (*pass)(Graph), const GpuBuilder& b,
                  std::initializer_list<ValueId> outputs = {}, bool runs = true) {
  GpuBuilder copy = b;
  const Graph before = copy.finish(outputs);
  const Graph after = pass(before);
  verify(after);
  if (runs && cuda::is_available()) expect_same_bits(results(after), results(before));
  return calls(after);
}

TEST(CudaForeachCopies, MergesCastsThatAreReadyAtOnePoint) {
  GpuBuilder b;
  std::vector<ValueId> x;
  for (int i = 0; i < 3; ++i) x.push_back(b.input({4, 5}));
  const ValueId first = b.call(Exp{}, {x[0]});
  const ValueId a = b.call(Neg{}, {b.cast(x[0])}), c = b.call(Neg{}, {b.cast(x[1])});
  const ValueId d = b.call(Neg{}, {b.cast(x[2])}), other = b.cast(x[2], float16);
  EXPECT_EQ(after(passes::foreach_copies, b, {first, a, c, d, other}),
            "exp foreach_copy neg neg neg copy");
}

TEST(CudaForeachCopies, LetsCopiesWaitForOthers) {
  GpuBuilder b;
  const ValueId a = b.cast(b.call(Exp{}, {b.input({3}, bfloat16)}), float32);
  const ValueId c = b.cast(b.call(Exp{}, {b.input({7}, bfloat16)}), float32);
  EXPECT_EQ(after(passes::foreach_copies, b, {a, c}), "exp exp foreach_copy");
}

TEST(CudaForeachCopies, KeepsTheOrderOfWhatDependsOnEachOther) {
  GpuBuilder chain;
  const ValueId narrow = chain.cast(chain.input({3}));
  const ValueId wide = chain.cast(chain.call(Exp{}, {narrow}), float32);
  EXPECT_EQ(after(passes::foreach_copies, chain, {chain.cast(chain.call(Exp{}, {wide}))}),
            "copy exp copy exp copy");
  GpuBuilder direct;
  const ValueId x = direct.input({3}), half = direct.cast(x, float16);
  const ValueId back = direct.cast(half, float32), y = direct.cast(direct.input({3}), float16);
  EXPECT_EQ(after(passes::foreach_copies, direct, {direct.cast(back, float16), y}),
            "foreach_copy copy copy");
  GpuBuilder written;
  const ValueId memory = written.input({3}), before = written.cast(memory);
  const ValueId next = written.call(Neg{}, {memory}, memory), behind = written.cast(next);
  written.update(memory, next);
  EXPECT_EQ(after(passes::foreach_copies, written, {before, behind}), "copy neg copy");
}

TEST(CudaForeachCopies, StaysOnItsSideOfHostCalls) {
  GpuBuilder b;
  const ValueId a = b.call(Neg{}, {b.cast(b.input({3}))});
  const ValueId c = b.call(Neg{}, {b.cast(b.input({3}))});
  b.g.add_call(Model(RandomBlocks{1, Device::cuda()}), {});
  const ValueId d = b.call(Neg{}, {b.cast(b.input({3}))});
  b.look(a);
  const ValueId e = b.call(Neg{}, {b.cast(b.input({3}))});
  EXPECT_EQ(after(passes::foreach_copies, b, {a, c, d, e}, false),
            "foreach_copy neg neg random_blocks neg host_call copy neg");
}

TEST(CudaForeachCopies, IsBoundedByWhatItKeepsWaiting) {
  GpuBuilder b;
  std::vector<ValueId> out;
  for (const int64_t millions : {2, 2, 5, 2, 2, 2}) {
    out.push_back(b.cast(b.input({millions << 20}, bfloat16), float32));
  }
  for (ValueId id : out) b.call(Neg{}, {id}, id);
  EXPECT_EQ(after(passes::foreach_copies, b, {}, false),
            "copy copy foreach_copy neg neg neg neg neg neg");
}

TEST(CudaForeachCopies, IsForGpusAlone) {
  GpuBuilder b;
  const ValueId x = b.input({3}, float32, Device::cpu()), y = b.input({3}, float32, Device::cpu());
  EXPECT_EQ(after(passes::foreach_copies, b, {b.cast(x), b.cast(y)}), "copy copy");
}

TEST(CudaForeachWrites, MergesSumsAndFillsOfAnyMemory) {
  GpuBuilder b;
  for (int i = 0; i < 3; ++i) {
    const ValueId sum = b.input({4, 5}), cleared = b.input({2});
    b.update(sum, b.add_into(sum, b.call(Exp{}, {b.input({4, 5})})));
    b.update(cleared, b.fill(cleared, i == 2 ? 1 : 0));
  }
  EXPECT_EQ(after(passes::foreach_writes, b), "foreach_fill exp exp exp foreach_add full");
}

TEST(CudaForeachWrites, KeepsReadersAndEffectsInTheirPlace) {
  GpuBuilder b;
  const ValueId x = b.input({3}), y = b.input({3}), z = b.input({3}), term = b.input({3});
  const ValueId first = b.add_into(x, term);
  const ValueId second = b.add_into(first, b.call(Exp{}, {first}));  // reads what was summed
  const ValueId other = b.add_into(y, term);
  b.look(term);
  const ValueId last = b.add_into(z, term);
  b.update(x, second), b.update(y, other), b.update(z, last);
  EXPECT_EQ(after(passes::foreach_writes, b, {}, false), "foreach_add exp add host_call add");
}

TEST(CudaForeachWrites, SumsOnceForEachCall) {
  GpuBuilder b;
  const ValueId x = b.input({3}), t = b.input({3});
  const ValueId twice = b.add_into(b.add_into(x, t), t), itself = b.add_into(t, t);
  b.update(x, twice), b.update(t, itself);
  EXPECT_EQ(after(passes::foreach_writes, b), "add add add");
}

struct StepBuilder : GpuBuilder {
  ValueId number() { return input({}, float64); }
  void step(ValueId grad) {
    const ValueId param = input({3}), unused = input({0}), count = number();
    const ValueIds out = g.add_call(Model(SgdStep{}), {number(), param, grad, unused, count}).out;
    update(param, out[0]), update(unused, out[1]), update(count, out[2]);
  }
};

TEST(CudaShortGradients, AreReadByUpdates) {
  StepBuilder b;
  b.step(b.cast(b.input({3}, bfloat16), float32));
  b.step(b.cast(b.input({3}, float64), float32));  // rounds
  const ValueId x = b.input({3}), y = b.cast(b.input({3}, float16), float32);
  b.update(x, b.g.add_call(Model(ForeachAdd{}), {x, y}).out[0]);
  EXPECT_EQ(after(passes::short_gradients, b), "sgd_step copy sgd_step foreach_add");
}

TEST(CudaShortGradients, StayWhereCopiesAreNeeded) {
  StepBuilder b;
  const ValueId grad = b.cast(b.input({3}, bfloat16), float32);
  b.step(grad);
  const ValueId memory = b.input({3}, bfloat16), copy = b.cast(memory, float32);
  const ValueId next = b.call(Neg{}, {memory}, memory);
  b.update(memory, next);
  b.step(copy);
  EXPECT_EQ(after(passes::short_gradients, b, {grad}), "copy sgd_step copy neg sgd_step");
}

}  // namespace
}  // namespace reprise::test
