// Bad input of layers, symbolic models, optimizers, data and files.

#include <gtest/gtest.h>

#include "../../data/datasets.h"
#include "../../io/safetensors.h"
#include "../../layers/nn.h"
#include "../../optim/optim.h"
#include "../graph/example_models.h"
#include "../io/temporary_folder.h"
#include "bad_input.h"

namespace reprise {
namespace {

using test::f32, test::f64, test::i64, test::In, test::leaf;
using enum ErrorKind;

TEST(Refused, Layers) {
  nn::Conv2d conv(3, 4, 3);
  nn::Linear linear(3, 2);
  nn::BatchNorm2d norm(3);
  nn::Sequential net(nn::Conv2d(3, 4, 3), nn::ReLU());
  const auto with = [](const nn::Module& m, std::vector<Tensor> more) {
    for (const auto& [name, tensor] : m.state_dict()) more.push_back(tensor);
    return more;
  };
  const nn::NamedTensors wrong{{"weight", f32({2, 4})}, {"bais", f32({2})}};
  test::expect_refused({
      {"channels",
       Shape,
       {"Conv2d", "conv2d", "3 channels", "got 4"},
       with(conv, {f32({1, 4, 8, 8})}),
       [&](In x) { conv(x[0]); }},
      {"the path to a layer",
       Shape,
       {"0: conv2d", "3 channels"},
       with(net, {f32({1, 4, 8, 8})}),
       [&](In x) { net(x[0]); }},
      {"features",
       Shape,
       {"Linear", "linear", "3 features", "[5, 4]"},
       with(linear, {f32({5, 4})}),
       [&](In x) { linear(x[0]); }},
      {"dtype",
       DType,
       {"Linear", "float64 and float32"},
       with(linear, {f64({5, 3})}),
       [&](In x) { linear(x[0]); }},
      {"statistics of another number of channels",
       Shape,
       {"BatchNorm2d", "3 channels", "[2, 4, 5, 5]"},
       with(norm, {f32({2, 4, 5, 5})}),
       [&](In x) { norm(x[0]); }},
      {"one value per channel",
       Shape,
       {"BatchNorm2d", "more than one value"},
       with(norm, {f32({1, 3, 1, 1})}),
       [&](In x) { norm(x[0]); }},
      {"axis of Softmax",
       Index,
       {"Softmax", "dim in [-2, 1]", "got 2"},
       {f32({2, 3})},
       [](In x) { nn::Softmax(2)(x[0]); }},
      {"empty kernel",
       Value,
       {"Conv2d", "kernel_size > 0", "[0, 0]"},
       {},
       [](In) { nn::Conv2d(3, 4, 0); }},
      {"groups",
       Value,
       {"Conv2d", "in_channels", "groups = 2", "got 3"},
       {},
       [](In) { nn::Conv2d(3, 4, 3, {.groups = 2}); }},
      {"wrong state_dict",
       Value,
       {"Linear", "wrong shape: weight (expected [2, 3], got [2, 4])", "missing: bias",
        "unexpected: bais"},
       with(linear, {}),
       [&](In) { linear.load_state_dict(wrong); }},
      {"a device that is not there",
       Device,
       {"cuda:100"},
       with(net, {}),
       [&](In) { net.to(reprise::Device::cuda(100)); }},
      {"more inputs than forward takes",
       Value,
       {"Linear", "2 inputs"},
       with(linear, {f32({1, 3})}),
       [&](In x) {
         linear.call(std::array{x[0], x[0]});
       }},
  });
}

TEST(Refused, SymbolicTensors) {
  const Tensor image = Input({3, 8, 8}), vector = Input({5});
  nn::Conv2d wide(4, 4, 3);
  test::expect_refused({
      {"a layer that does not fit",
       Shape,
       {"conv2d", "4 channels", "got 3"},
       {},
       [&](In) { wide(image); }},
      {"an op that does not fit",
       Shape,
       {"add", "[3, 8, 8]", "[5]"},
       {},
       [&](In) { image[0] + vector[0]; }},
      {"in place",
       Graph,
       {"symbolic", "in place"},
       {f32({1, 5})},
       [&](In x) { Tensor(vector).add_(x[0]); }},
      {"a negative size", Shape, {"Input", "at least 0"}, {}, [](In) { Input({-2}); }},
      {"a second unknown size",
       Shape,
       {"Input", "at least 0", "got -1"},
       {},
       [](In) { Input({-1}); }},
      {"parents of a real tensor",
       Graph,
       {"parents", "symbolic", "float32[2]"},
       {f32({2})},
       [](In x) { parents(x[0]); }},
  });
  EXPECT_TRUE(children(vector).empty());  // what stood for a moment is gone
  EXPECT_TRUE(children(image).empty());
}

TEST(Refused, SymbolicModels) {
  const Tensor a = Input({3}), b = Input({3, 4}), c = nn::Flatten()(b);
  const Tensor both = nn::Linear(3, 12)(a) + c;
  const SymbolicModel model(a, nn::ReLU()(a)), two({a, b}, {both, c});
  test::expect_refused({
      {"an input that was not given",
       Graph,
       {"Input", "(None, 3, 4)", "Flatten"},
       {},
       [&](In) { SymbolicModel(a, both); }},
      {"no outputs", Graph, {"at least one output"}, {}, [&](In) { SymbolicModel(a, Tensors{}); }},
      {"no inputs", Graph, {"at least one input"}, {}, [&](In) { SymbolicModel(Tensors{}, both); }},
      {"a real tensor as input",
       Graph,
       {"input", "symbolic", "float32[2]"},
       {f32({2})},
       [&](In x) { SymbolicModel(x[0], both); }},
      {"an undefined output",
       Graph,
       {"output", "undefined"},
       {},
       [&](In) { SymbolicModel(a, Tensor()); }},
      {"an input twice",
       Graph,
       {"twice"},
       {},
       [&](In) {
         SymbolicModel({a, a}, c);
       }},
      {"wrong features",
       Shape,
       {"SymbolicModel", "input 0", "(None, 3)", "(2, 4)"},
       {f32({2, 4})},
       [&](In x) { model(x[0]); }},
      {"wrong rank",
       Shape,
       {"input 0", "(None, 3)", "(3,)"},
       {f32({3})},
       [&](In x) { model(x[0]); }},
      {"wrong dtype",
       DType,
       {"input 0", "float32", "int64"},
       {i64({2, 3})},
       [&](In x) { model(x[0]); }},
      {"an undefined input", Value, {"undefined"}, {Tensor()}, [&](In x) { model(x[0]); }},
      {"too few inputs",
       Value,
       {"expected 2 inputs", "got 1"},
       {f32({2, 3})},
       [&](In x) { two.outputs(x[0]); }},
      {"one output of two",
       Graph,
       {"2 outputs", "model.outputs"},
       {f32({2, 3}), f32({2, 3, 4})},
       [&](In x) { two(x[0], x[1]); }},
      {"the only shape of two",
       Graph,
       {"output_shape", "output_shapes"},
       {},
       [&](In) { two.output_shape(); }},
      {"batches that do not fit",
       Shape,
       {"Add_1", "add", "[2, 12]", "[3, 12]"},
       {f32({2, 3}), f32({3, 3, 4})},
       [&](In x) { two.outputs(x[0], x[1]); }},
  });
}

TEST(Refused, Optimizers) {
  const std::vector<Tensor> w{leaf({2})};
  test::expect_refused({
      {"learning rate",
       Value,
       {"SGD", "lr >= 0", "-1"},
       w,
       [](In x) { optim::SGD(x, {.lr = -1}); }},
      {"momentum",
       Value,
       {"SGD", "momentum >= 0"},
       w,
       [](In x) { optim::SGD(x, {.momentum = -1}); }},
      {"nesterov", Value, {"SGD", "nesterov"}, w, [](In x) { optim::SGD(x, {.nesterov = true}); }},
      {"betas",
       Value,
       {"Adam", "[0, 1)", "got 1"},
       w,
       [](In x) {
         optim::Adam(x, {.betas = {1, 0.9}});
       }},
      {"no parameters",
       Value,
       {"Adam", "at least one parameter"},
       {},
       [](In x) { optim::Adam{x}; }},
      {"a result of an op", Value, {"SGD", "leaves"}, w, [](In x) { optim::SGD({x[0] * 2}); }},
      {"a parameter twice",
       Value,
       {"SGD", "once", "[2]"},
       w,
       [](In x) {
         optim::SGD({x[0], x[0]});
       }},
  });
}

TEST(Refused, Files) {
  const testing::TemporaryFolder folder;
  const std::string text = folder.write("text.safetensors", "this is not one");
  const std::string path = folder.path(), missing = folder / "missing";
  test::expect_refused({
      {"loading a directory", Io, {path, "director"}, {}, [&](In) { load_safetensors(path); }},
      {"loading what is not there", Io, {missing}, {}, [&](In) { load_safetensors(missing); }},
      {"loading text", Format, {text}, {}, [&](In) { load_safetensors(text); }},
      {"saving over a directory",
       Io,
       {path},
       {f32({2})},
       [&](In x) {
         save_safetensors(path, {{"x", x[0]}});
       }},
      {"saving into what is not there",
       Io,
       {missing},
       {f32({2})},
       [&](In x) {
         save_safetensors(missing + "/x", {{"x", x[0]}});
       }},
      {"saving a symbolic tensor",
       Value,
       {"x"},
       {},
       [&](In) {
         save_safetensors(missing, {{"x", Input({2})}});
       }},
      {"MNIST in an empty folder", Io, {path}, {}, [&](In) { Mnist{path}; }},
      {"CIFAR-10 in a file", Io, {text}, {}, [&](In) { Cifar10{text}; }},
  });
  EXPECT_EQ(folder.file_count(), 1u);
}

}  // namespace
}  // namespace reprise
