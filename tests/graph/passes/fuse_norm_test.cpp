// Batch normalisation in training with what follows it: fused graphs have the bits of the single
// ops, in all dtypes and formats, on both devices.

#include "../../../autograd/tape.h"
#include "../../../core/cuda.h"
#include "../../../core/ops/fused_norm.h"
#include "../../../core/random.h"
#include "../replay.h"
#include "builder.h"

namespace reprise::test {
namespace {

struct NormCase {
  Device device;
  DType dtype, parameters;
  Shape shape;
  MemoryFormat format = contiguous_format;
};
std::ostream& operator<<(std::ostream& out, const NormCase& c) {
  return out << text(c.device, " ", c.dtype, " ", c.parameters, " ", c.shape, " ", c.format);
}

/// Three blocks: of a ReLU alone, with a residual that is made first, and with one that is a batch
/// normalisation too.
class Blocks {
 public:
  explicit Blocks(const NormCase& c) : case_(c) {
    manual_seed(3);
    for (int i = 0; i < 4; ++i) {
      statistics_.push_back(there(zeros({c.shape[1]}), c.parameters));
      statistics_.push_back(there(ones({c.shape[1]}), c.parameters));
    }
    for (const Shape& shape : {c.shape, c.shape}) {
      inputs_.push_back(there(randn(shape) * 2, c.dtype).to(c.format));
    }
    for (int i = 0; i < 2; ++i) inputs_.push_back(there(randn({c.shape[1]}), c.parameters));
  }

  /// The result, gradients and statistics, and what was called.
  Tensors run(const std::string& passes, std::string& called) {
    Program program =
        compile([this](const Tensors& in) { return step(in); },
                std::vector<Example>(inputs_.begin(), inputs_.end()), {.passes = passes});
    called = calls(program.graph());
    Tensors out = program.call(inputs_);
    for (const Tensor& s : statistics_) out.push_back(s);
    for (Tensor& x : out) x = x.cpu();
    return out;
  }

 private:
  Tensor there(const Tensor& x, DType dtype) const { return x.to(dtype).to(case_.device); }

  Tensors step(const Tensors& in) const {
    Tensors leaves;
    for (const size_t i : {0, 2, 3}) leaves.push_back(in[i].detach().requires_grad_());
    const auto norm = [&](size_t i, const Tensor& x) {
      return batch_norm(x, statistics_[2 * i], statistics_[2 * i + 1], leaves[1], leaves[2],
                        {.training = true});
    };
    const Tensor a = relu(norm(0, leaves[0]));
    const Tensor b = relu(norm(1, a * 3) + a);
    const Tensor shortcut = norm(2, b);
    const Tensor c = relu(shortcut + norm(3, b * b));
    (c * in[1]).sum().backward();
    return {c, leaves[0].grad(), leaves[1].grad(), leaves[2].grad()};
  }

  NormCase case_;
  Tensors statistics_, inputs_;
};

int64_t count(const std::string& called, std::string_view op) {
  int64_t n = 0;
  std::istringstream words(called);
  for (std::string word; words >> word;) n += word == op;
  return n;
}

std::vector<NormCase> norm_cases(Device device) {
  std::vector<NormCase> out{{device, float32, float32, {2, 3, 90, 90}}};
  for (const DType dtype : {float32, float64, float16, bfloat16}) {
    const DType wide = is_half(dtype) ? float32 : dtype;
    out.push_back({device, dtype, wide, {5, 8, 4, 4}});
    out.push_back({device, dtype, wide, {5, 8, 4, 4}, channels_last});
    out.push_back({device, dtype, dtype, {3, 5, 7, 3}, channels_last});
    out.push_back({device, dtype, dtype, {3, 5, 7, 3}});
    out.push_back({device, dtype, wide, {300, 40}});
  }
  return out;
}

class FuseNorm : public testing::TestWithParam<NormCase> {};

TEST_P(FuseNorm, KeepsEveryBit) {
  const NormCase& c = GetParam();
  const bool on_cpu = c.device.kind == Device::Kind::cpu;
  if (!on_cpu && !cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  std::string single, fused;
  const Tensors expected = Blocks(c).run("none", single), got = Blocks(c).run("", fused);
  EXPECT_EQ(difference(got, expected, "result"), "") << fused;
  // The kernel of the CPU rounds 16 bits once.
  const int64_t n = on_cpu && is_half(c.dtype) ? 0 : 3;
  EXPECT_EQ(count(fused, "fused_batch_norm"), n) << fused;
  EXPECT_EQ(count(fused, "fused_batch_norm_grad"), n) << fused;
  EXPECT_EQ(count(fused, "batch_norm"), 4 - n) << fused;
  EXPECT_EQ(count(fused, "batch_norm_grad"), 4 - n) << fused;
}

INSTANTIATE_TEST_SUITE_P(Cpu, FuseNorm, testing::ValuesIn(norm_cases(Device::cpu())));
INSTANTIATE_TEST_SUITE_P(Cuda, FuseNorm, testing::ValuesIn(norm_cases(Device::cuda())));

/// Batch normalisation of x [4, 3, 2, 2] with captured statistics.
struct NormBuilder : Builder {
  ValueId x = input({4, 3, 2, 2}), r = input({4, 3, 2, 2});
  Tensors in{randn({4, 3, 2, 2}), randn({4, 3, 2, 2})};

  ValueIds norm_call(ValueId of) {
    ValueIds operands{of};
    for (int i = 0; i < 4; ++i) operands.push_back(capture(ones({3})));
    operands.push_back(capture(zeros({}, {.dtype = int64})));
    const Call call = g.add_call(Model(BatchNorm{}), operands);
    for (size_t k = 3; k < 6; ++k) {
      g.updates.push_back({g.value(operands[k]).root, call.out[k]});
    }
    return call.out;
  }
  ValueId norm(ValueId of) { return norm_call(of)[0]; }
  std::string fused(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::fuse(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(FuseNormForward, TakesResidualAndRelu) {
  NormBuilder b;
  EXPECT_EQ(b.fused({b.call(Relu{}, {b.call(Add{}, {b.r, b.norm(b.x)})})}), "fused_batch_norm");
  NormBuilder c;
  EXPECT_EQ(c.fused({c.call(Add{}, {c.norm(c.x), c.r})}), "fused_batch_norm");
  NormBuilder both;  // the later one takes the other
  const ValueId first = both.norm(both.x), second = both.norm(both.r);
  EXPECT_EQ(both.fused({both.call(Add{}, {first, second})}), "batch_norm fused_batch_norm");
  NormBuilder d;  // one of each
  const ValueId y = d.call(Relu{}, {d.norm(d.x)});
  EXPECT_EQ(d.fused({d.call(Add{}, {d.call(Relu{}, {y}), d.r})}), "fused_batch_norm relu add");
  NormBuilder over;  // the result of the ReLU is written over
  const ValueId w = over.call(Relu{}, {over.norm(over.x)});
  const ValueId last = over.g.add_call(Model(Add{}), {w, over.r}, w).out[0];
  EXPECT_EQ(over.fused({last}), "fused_batch_norm add");
}

TEST(FuseNormForward, LeavesWhatIsReadElsewhereOrMadeLater) {
  NormBuilder b;
  const ValueId y = b.norm(b.x);
  EXPECT_EQ(b.fused({y, b.call(Relu{}, {y})}), "batch_norm relu");
  NormBuilder late;
  const ValueId z = late.norm(late.x);
  const ValueId r = late.call(Exp{}, {late.r});
  EXPECT_EQ(late.fused({late.call(Add{}, {z, r})}), "batch_norm exp add");
  NormBuilder turned;
  const ValueId t = turned.call(Permute{{0, 1, 3, 2}}, {turned.r});
  EXPECT_EQ(turned.fused({turned.call(Add{}, {turned.norm(turned.x), t})}),
            "permute batch_norm add");
  NormBuilder statistic;  // not the result is read, but the mean
  const ValueId mean = statistic.norm_call(statistic.x)[1];
  EXPECT_EQ(statistic.fused({statistic.call(Relu{}, {mean})}), "batch_norm relu");
}

/// batch_norm_grad(relu_grad(gy, y)) for any y.
struct NormGradBuilder : Builder {
  static constexpr int kImages = 4;
  ValueIds images;  // gy, x, y, more
  Tensors in;
  NormGradBuilder() {
    for (int i = 0; i < kImages; ++i) {
      images.push_back(input({4, 3, 2, 2}));
      in.push_back(randn({4, 3, 2, 2}));
    }
  }
  ValueId grad(ValueId g) {
    ValueIds operands{g, images[1]};
    for (int i = 0; i < 3; ++i) operands.push_back(capture(ones({3})));
    return call(BatchNormGrad{}, operands);
  }
  std::string fused(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::fuse(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(FuseNormGrad, GivesTheResidualItsPart) {
  NormGradBuilder b;
  const ValueId sum = b.call(Add{}, {b.images[0], b.images[3]});
  const ValueId g = b.call(ReluGrad{}, {sum, b.images[2]}), gx = b.grad(g);
  EXPECT_EQ(b.fused({gx, b.call(Exp{}, {g})}), "fused_batch_norm_grad exp");
  NormGradBuilder alone;
  EXPECT_EQ(alone.fused({alone.grad(alone.call(ReluGrad{}, {alone.images[0], alone.images[2]}))}),
            "fused_batch_norm_grad");
  NormGradBuilder early;  // somebody needs g before there is a fused call
  const ValueId h = early.call(ReluGrad{}, {early.images[0], early.images[2]});
  const ValueId e = early.call(Exp{}, {h});
  EXPECT_EQ(early.fused({early.grad(h), e}), "relu_grad exp batch_norm_grad");
}

/// Dense in both formats, but the residual's part would lie as x does.
TEST(FuseNormGrad, LeavesSinglePixelsOfTwoFormats) {
  Builder b;
  const ValueId gy = b.input({4, 3, 1, 1}), y = b.input({4, 3, 1, 1}), x = b.input({4, 3, 1, 1});
  b.g.values[static_cast<size_t>(x)].meta.strides = {3, 1, 3, 3};
  ValueIds operands{b.call(ReluGrad{}, {gy, y}), x};
  for (int i = 0; i < 3; ++i) operands.push_back(b.capture(ones({3})));
  const Graph fused = passes::fuse(b.finish({b.call(BatchNormGrad{}, operands)}));
  EXPECT_EQ(calls(fused), "relu_grad batch_norm_grad");
}

}  // namespace
}  // namespace reprise::test
