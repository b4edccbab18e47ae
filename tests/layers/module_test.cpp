#include "../../autograd/tape.h"
#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::names;
using Names = std::vector<std::string>;

struct Block : nn::Layer<Block> {
  nn::Conv2d conv{3, 4, 3, {.padding = 1, .bias = false}};
  nn::BatchNorm2d bn{4};
  Block() {
    register_module("conv", conv);
    register_module("bn", bn);
  }
  Tensor forward(const Tensor& x) { return relu(bn(conv(x))); }
};

struct Net : nn::Layer<Net> {
  Block block;
  nn::Sequential head{nn::Flatten(), nn::Linear(4 * 5 * 5, 2)};
  nn::Parameter scale = register_parameter("scale", ones({1}));
  Net() {
    register_module("block", block);
    register_module("head", head);
  }
  Tensor forward(const Tensor& x) { return head(block(x)) * scale; }
};

TEST(Module, NamesAreThoseOfPyTorch) {
  const Net net;
  EXPECT_EQ(names(net.named_parameters()),
            (Names{"scale", "block.conv.weight", "block.bn.weight", "block.bn.bias",
                   "head.1.weight", "head.1.bias"}));
  EXPECT_EQ(names(net.named_parameters("net", false)), Names{"net.scale"});
  EXPECT_EQ(names(net.named_buffers()), (Names{"block.bn.running_mean", "block.bn.running_var",
                                               "block.bn.num_batches_tracked"}));
  EXPECT_EQ(names(net.state_dict()),
            (Names{"scale", "block.conv.weight", "block.bn.weight", "block.bn.bias",
                   "block.bn.running_mean", "block.bn.running_var", "block.bn.num_batches_tracked",
                   "head.1.weight", "head.1.bias"}));
  Names modules;
  for (const auto& [name, module] : net.named_modules()) modules.push_back(name);
  EXPECT_EQ(modules, (Names{"", "block", "block.conv", "block.bn", "head", "head.0", "head.1"}));
  EXPECT_EQ(net.num_parameters(), 1 + 4 * 3 * 9 + 4 + 4 + 2 * 100 + 2);  // counted by hand
}

TEST(Module, ParametersRequireGradBuffersDoNot) {
  const Net net;
  for (const Tensor& parameter : net.parameters()) EXPECT_TRUE(parameter.requires_grad());
  for (const Tensor& buffer : net.buffers()) EXPECT_FALSE(buffer.requires_grad());
  for (const auto& [name, value] : net.state_dict()) EXPECT_FALSE(value.requires_grad()) << name;
}

TEST(Module, CopiesShareTheState) {
  const nn::Linear a(2, 3);
  nn::Linear b = a;
  EXPECT_TRUE(a.shares_state_with(b));
  EXPECT_EQ(a.weight().ref(), b.weight().ref());
  b.eval();
  EXPECT_FALSE(a.is_training());
  const nn::Linear other(2, 3);
  EXPECT_FALSE(a.shares_state_with(other));
  nn::Linear c = other;
  c = a;
  EXPECT_TRUE(c.shares_state_with(a));
}

TEST(Module, SharedParametersCountOnce) {
  const nn::Linear shared(3, 3);
  const nn::Sequential twice(shared, nn::ReLU(), shared);
  EXPECT_EQ(twice.parameters().size(), 2u);
  EXPECT_EQ(twice.num_parameters(), 12);
  EXPECT_EQ(names(twice.named_parameters()), (Names{"0.weight", "0.bias"}));
  EXPECT_EQ(names(twice.state_dict()),
            (Names{"0.weight", "0.bias", "2.weight", "2.bias"}));  // as in PyTorch
}

TEST(Module, TrainAndEvalReachAllBelow) {
  Net net;
  EXPECT_TRUE(net.block.bn.is_training());
  net.eval();
  EXPECT_FALSE(net.is_training());
  EXPECT_FALSE(net.block.bn.is_training());
  net.train();
  EXPECT_TRUE(net.head[1].is_training());
}

TEST(Module, BadNamesAndTensorsAreRefused) {
  Net net;
  EXPECT_EQ(error_of([&] { net.register_module("block", nn::ReLU()); }),
            "Net: the name \"block\" is already taken");
  EXPECT_EQ(error_of([&] { net.register_buffer("a.b", ones({1})); }),
            "Net: expected a name without dots, got \"a.b\"");
  EXPECT_EQ(error_of([&] { net.register_parameter("", ones({1})); }),
            "Net: expected a name without dots, got \"\"");
  EXPECT_EQ(error_of([&] { net.register_module("none", std::shared_ptr<nn::Module>()); }),
            "Net: expected a module for \"none\", got none");
  EXPECT_EQ(error_of([&] { net.register_parameter("n", ones({1}, {.dtype = int64})); }),
            "Net: expected parameter \"n\" of a floating-point dtype, got int64");
  const Tensor result = ones({1}, {.requires_grad = true}) * 2;
  EXPECT_EQ(error_of([&] { net.register_parameter("n", result); }),
            "Net: expected a leaf as parameter \"n\", got the result of an op");
  EXPECT_EQ(net.state_dict().size(), 9u);
}

TEST(Module, AModuleCannotStandBelowItself) {
  nn::Sequential a, b;
  a.push_back(b);
  EXPECT_EQ(error_of([&] { b.push_back(a); }),
            "Sequential: a module cannot be registered below itself (as \"0\")");
}

TEST(Module, ToConvertsFloatingTensorsForAllHandles) {
  Net net;
  const Tensor weight = net.block.conv.weight();
  const auto before = weight.to_vector<double>();
  weight.set_grad(ones_like(weight));
  net.to(float64);
  EXPECT_EQ(weight.dtype(), float64);
  EXPECT_EQ(weight.grad().dtype(), float64);
  EXPECT_EQ(weight.to_vector<double>(), before);
  EXPECT_TRUE(weight.requires_grad());
  EXPECT_EQ(net.block.bn.running_var().dtype(), float64);
  EXPECT_EQ(net.block.bn.num_batches_tracked().dtype(), int64);
  EXPECT_EQ(net(ones({2, 3, 5, 5}, {.dtype = float64})).dtype(), float64);
  net.to(Device::cpu());
  EXPECT_EQ(error_of([&] { net.to(int64); }),
            "Net: expected a floating-point dtype to convert to, got int64");
}

TEST(Module, ZeroGradAndRequiresGrad) {
  nn::Linear layer(2, 1);
  sum(layer(ones({3, 2}))).backward();
  EXPECT_EQ(layer.weight().grad().to_vector<double>(), (std::vector<double>{3, 3}));
  layer.zero_grad();
  EXPECT_FALSE(layer.weight().grad().defined());
  layer.requires_grad_(false);
  EXPECT_FALSE(layer(ones({3, 2})).requires_grad());
}

TEST(Module, ApplyVisitsChildrenFirst) {
  Net net;
  Names visited;
  net.apply([&](nn::Module& module) { visited.push_back(module.name()); });
  EXPECT_EQ(visited,
            (Names{"Conv2d", "BatchNorm2d", "Block", "Flatten", "Linear", "Sequential", "Net"}));
}

}  // namespace
}  // namespace reprise
