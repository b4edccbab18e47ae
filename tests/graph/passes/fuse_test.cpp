#include "../../../autograd/tape.h"
#include "../../../core/ops/fused_conv.h"
#include "../../../core/ops/fused_linear.h"
#include "../../../core/ops/pool.h"
#include "../../../graph/trace.h"
#include "../../../layers/nn.h"
#include "builder.h"

namespace reprise::test {
namespace {

struct ConvCase : Builder {
  ValueId x = input({2, 3, 5, 5});
  ValueId weight = capture(randn({4, 3, 3, 3})), bias = capture(randn({4}));
  ValueId residual = input({2, 4, 5, 5});
  Tensors in{randn({2, 3, 5, 5}), randn({2, 4, 5, 5})};

  ValueId conv() { return call(Conv2d{{.padding = 1}}, {x, weight, bias}); }
  std::string fused(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::fuse(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    std::string out;
    for (const Call& c : after.code) (out += out.empty() ? "" : " ") += c.op->name();
    return out;
  }
};

TEST(FuseConv, TakesResidualAndActivation) {
  ConvCase b;
  EXPECT_EQ(b.fused({b.call(Relu{}, {b.call(Add{}, {b.residual, b.conv()})})}), "fused_conv2d");
  ConvCase c;
  EXPECT_EQ(c.fused({c.call(Tanh{}, {c.conv()})}), "fused_conv2d");
  ConvCase g;
  EXPECT_EQ(g.fused({g.call(GeluTanh{}, {g.conv()})}), "fused_conv2d");
  ConvCase d;
  EXPECT_EQ(d.fused({d.call(Sigmoid{}, {d.call(Conv2d{{.padding = 1}}, {d.x, d.weight})})}),
            "fused_conv2d");
  ConvCase e;
  EXPECT_EQ(e.fused({e.call(Add{}, {e.conv(), e.residual})}), "fused_conv2d");
}

TEST(FuseConv, TakesOneOfEach) {
  ConvCase b;
  const ValueId y = b.call(Relu{}, {b.call(Add{}, {b.conv(), b.residual})});
  EXPECT_EQ(b.fused({b.call(Relu{}, {b.call(Add{}, {y, b.residual})})}), "fused_conv2d add relu");
}

TEST(FuseConv, LeavesResultsThatOthersRead) {
  ConvCase b;
  const ValueId y = b.conv();
  EXPECT_EQ(b.fused({y, b.call(Relu{}, {y})}), "conv2d relu");
  ConvCase c;
  const ValueId z = c.conv();
  EXPECT_EQ(c.fused({c.call(Add{}, {z, z})}), "conv2d add");
}

/// conv(x) * scale + shift with captured factors [C], seen as `beside`.
struct NormCase : ConvCase {
  ValueId factors(const Shape& of, const Shape& beside) {
    const ValueId values = capture(randn(of));
    return expand(of == beside ? values : call(ViewAs{beside}, {values}), {2, 4, 5, 5});
  }
  ValueId norm(ValueId scale, ValueId shift) {
    return call(Add{}, {call(Mul{}, {conv(), scale}), shift});
  }
};

TEST(FuseConv, TakesBatchNormInEvalMode) {
  NormCase b;
  const ValueId y = b.norm(b.factors({4}, {1, 4, 1, 1}), b.factors({4}, {1, 4, 1, 1}));
  EXPECT_EQ(b.fused({b.call(Relu{}, {b.call(Add{}, {y, b.residual})})}), "fused_conv2d");
  NormCase c;
  const ValueId z = c.norm(c.factors({4, 1, 1}, {4, 1, 1}), c.factors({1, 4, 1, 1}, {1, 4, 1, 1}));
  EXPECT_EQ(c.fused({c.call(Tanh{}, {z})}), "view view fused_conv2d");
}

TEST(FuseConv, TakesNoFactorsOfOtherDimensions) {
  for (const Shape& beside : {Shape{5}, Shape{1, 1, 5, 1}, Shape{2, 1, 1, 1}, Shape{4, 5, 5}}) {
    NormCase b;
    const ValueId scale = b.factors({4}, {1, 4, 1, 1}), shift = b.factors(beside, beside);
    EXPECT_EQ(b.fused({b.norm(scale, shift)}).find("fused"), std::string::npos)
        << to_string(beside);
    NormCase c;
    const ValueId other = c.factors(beside, beside), fine = c.factors({4}, {1, 4, 1, 1});
    EXPECT_EQ(c.fused({c.norm(other, fine)}).find("fused"), std::string::npos) << to_string(beside);
  }
}

TEST(FuseConv, HoistsTheFactorsOfBatchNorm) {
  const NoGradGuard no_grad;
  for (const bool affine : {true, false}) {
    for (const bool bias : {true, false}) {
      nn::Sequential model(nn::Conv2d(3, 4, 3, {.bias = bias}),
                           nn::BatchNorm2d(4, {.affine = affine}), nn::ReLU());
      model(randn({8, 3, 6, 6}));  // moves the statistics
      model.eval();
      const Graph before =
          trace([&](const Tensor& x) { return model(x); }, {Meta({2, 3, 6, 6}, float32)});
      const Graph after = optimize(before);
      EXPECT_EQ(static_cast<size_t>(after.prologue) + 1, after.code.size()) << to_string(after);
      const Tensors in{randn({2, 3, 6, 6})};
      expect_same_bits(evaluate(after, in), evaluate(before, in));
    }
  }
}

TEST(FuseConv, LeavesResidualsThatAreNotDense) {
  ConvCase b;
  const ValueId turned = b.call(Permute{{0, 1, 3, 2}}, {b.residual});
  EXPECT_EQ(b.fused({b.call(Add{}, {b.conv(), turned})}), "permute conv2d add");
}

TEST(FuseConv, NeverCrossesAWrite) {
  ConvCase b;
  const ValueId x = b.call(Neg{}, {b.x});
  const ValueId y = b.call(Conv2d{{.padding = 1}}, {x, b.weight, b.bias});
  const ValueId next = b.call(Exp{}, {x}, x);
  EXPECT_EQ(b.fused({next, b.call(Relu{}, {y})}), "neg conv2d exp relu");
}

struct ConvGradCase : Builder {
  ValueId gy = input({2, 4, 5, 5}), y = input({2, 3, 5, 5});
  ValueId weight = capture(randn({4, 3, 3, 3}));
  Tensors in{randn({2, 4, 5, 5}), randn({2, 3, 5, 5})};

  ValueId grad() { return call(Conv2dInputGrad{{.padding = 1}, 5}, {gy, weight}); }
  std::string fused(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::fuse(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(FuseConv, MasksTheGradientOfAnActivation) {
  ConvGradCase b;
  EXPECT_EQ(b.fused({b.call(ReluGrad{}, {b.grad(), b.y})}), "fused_conv2d_input_grad");
  ConvGradCase shared;
  const ValueId gx = shared.grad();
  EXPECT_EQ(shared.fused({gx, shared.call(ReluGrad{}, {gx, shared.y})}),
            "conv2d_input_grad relu_grad");
  ConvGradCase turned;
  const ValueId y = turned.call(Permute{{0, 1, 3, 2}}, {turned.y});
  EXPECT_EQ(turned.fused({turned.call(ReluGrad{}, {turned.grad(), y})}),
            "permute conv2d_input_grad relu_grad");
  ConvGradCase mask;  // the gradient is the mask, not what is masked
  EXPECT_EQ(mask.fused({mask.call(ReluGrad{}, {mask.y, mask.grad()})}),
            "conv2d_input_grad relu_grad");
}

TEST(FuseLinear, TakesTheActivation) {
  Builder b;
  const ValueId x = b.input({2, 3});
  const ValueId weight = b.capture(randn({4, 3})), bias = b.capture(randn({4}));
  const ValueId y = b.call(Relu{}, {b.call(Linear{}, {x, weight, bias})});
  const ValueId z = b.call(Tanh{}, {b.call(Linear{}, {x, weight})});
  const Graph before = b.finish({y, z}), after = passes::fuse(before);
  verify(after);
  EXPECT_EQ(calls(after), "fused_linear linear tanh");
  const Tensors in{randn({2, 3})};
  expect_same_bits(evaluate(after, in), evaluate(before, in));
}

/// A linear layer behind an activation, and the gradient that comes back through both.
struct LinearCase : Builder {
  ValueId x = input({2, 3}), gy = input({2, 5}), saved = input({2, 3});
  ValueId weight = capture(randn({5, 3})), bias = capture(randn({5}));
  Tensors in{randn({2, 3}), randn({2, 5}), randn({2, 3})};

  ValueId linear() { return call(Linear{}, {x, weight, bias}); }
  ValueId grad() { return call(MatMul{}, {gy, weight}); }
  std::string fused(std::initializer_list<ValueId> outputs) {
    const Graph before = finish(outputs), after = passes::fuse(before);
    verify(after);
    expect_same_bits(evaluate(after, in), evaluate(before, in));
    return calls(after);
  }
};

TEST(FuseLinear, TakesTheGradientOfTheActivation) {
  LinearCase relu, gelu, tanh;
  EXPECT_EQ(relu.fused({relu.call(ReluGrad{}, {relu.grad(), relu.saved})}),
            "fused_linear_input_grad");
  EXPECT_EQ(gelu.fused({gelu.call(GeluGrad{}, {gelu.grad(), gelu.saved})}),
            "fused_linear_input_grad");
  EXPECT_EQ(tanh.fused({tanh.call(GeluTanhGrad{}, {tanh.grad(), tanh.saved})}),
            "fused_linear_input_grad");
  LinearCase mask;  // the gradient is the mask, not what is masked
  EXPECT_EQ(mask.fused({mask.call(ReluGrad{}, {mask.saved, mask.grad()})}), "matmul relu_grad");
  LinearCase shared;
  const ValueId gx = shared.grad();
  EXPECT_EQ(shared.fused({gx, shared.call(ReluGrad{}, {gx, shared.saved})}), "matmul relu_grad");
}

TEST(FuseLinear, LeavesGradientsThatWouldRoundOtherwise) {
  Builder b;
  const ValueId gy = b.input({2, 5}, bfloat16), w = b.capture(randn({5, 3}).to(bfloat16));
  const ValueId saved = b.input({2, 3}, bfloat16), gx = b.call(MatMul{}, {gy, w});
  const ValueId masked = b.call(ReluGrad{}, {b.call(MatMul{}, {gy, w}), saved});
  const Graph before = b.finish({masked, b.call(GeluTanhGrad{}, {gx, saved})});
  EXPECT_EQ(calls(passes::fuse(before)), "matmul fused_linear_input_grad gelu_tanh_grad");
}

TEST(FuseLinear, KeepsWhatTheGradientOfItsGeluReads) {
  for (const bool tanh : {false, true}) {
    LinearCase b;
    const ValueId x = b.linear(), other = b.call(Neg{}, {x});
    const ValueId y = tanh ? b.call(GeluTanh{}, {x}) : b.call(Gelu{}, {x});
    EXPECT_EQ(b.fused({y, other, b.call(Sigmoid{}, {x})}), "fused_linear neg sigmoid");
  }
  LinearCase relu;
  const ValueId x = relu.linear();
  EXPECT_EQ(relu.fused({x, relu.call(Relu{}, {x})}), "linear relu");
  LinearCase twice;  // the second is left
  const ValueId z = twice.linear(), first = twice.call(Gelu{}, {z});
  EXPECT_EQ(twice.fused({first, twice.call(GeluTanh{}, {z})}), "fused_linear gelu_tanh");
  LinearCase written;  // in place: the linear result is there no more
  const ValueId v = written.linear(), w = written.call(GeluTanh{}, {v}, v);
  EXPECT_EQ(written.fused({w}), "linear gelu_tanh");
}

TEST(FusePool, MasksTheSmallResult) {
  Builder b;
  const ValueId x = b.call(Relu{}, {b.input({1, 2, 4, 4})});
  const MaxPool2d op{{.kernel_size = 2, .stride = 2}};
  const Call pool = b.g.add_call(Model(op), {x});
  const ValueId gy = b.input({1, 2, 2, 2});
  const ValueId gx = b.call(MaxPool2dGrad{op, Pair(4, 4)}, {gy, pool.out[1]});
  const Graph before = b.finish({pool.out[0], b.call(ReluGrad{}, {gx, x})});
  const Graph after = passes::fuse(before);
  verify(after);
  EXPECT_EQ(calls(after), "relu max_pool2d relu_grad max_pool2d_grad");
  const Tensors in{randn({1, 2, 4, 4}), randn({1, 2, 2, 2})};
  expect_same_bits(evaluate(after, in), evaluate(before, in));
}

TEST(FuseLoss, FindsTheGradientOfCrossEntropy) {
  const Graph before = optimize(trace(
                                    [](const Tensor& x, const Tensor& target) {
                                      Tensor leaf = x.detach().requires_grad_();
                                      const Tensor picked =
                                          gather(log_softmax(leaf, 1), 1, unsqueeze(target, 1));
                                      (-mean(picked)).backward();
                                      return leaf.grad();
                                    },
                                    {Meta({4, 10}, float32), Meta({4}, int64)}),
                                "dead_code,algebra,common_subexpressions", true);
  const Graph after = passes::fuse(before);
  verify(after);
  EXPECT_NE(calls(before).find("gather_grad"), std::string::npos);
  EXPECT_NE(calls(after).find("log_softmax_gather_grad"), std::string::npos);
  EXPECT_EQ(calls(after).find(" gather_grad"), std::string::npos);
  const Tensors in{randn({4, 10}), tensor(std::vector<int64_t>{3, 0, 9, 3})};
  expect_tensor(evaluate(after, in)[0], evaluate(before, in)[0], 1e-7);
}

}  // namespace
}  // namespace reprise::test
