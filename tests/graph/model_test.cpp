// SymbolicModel: replay on real data, batches of any size, several inputs and outputs, sharing,
// nesting, gradients, modes and errors.

#include "../../graph/model.h"

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../../optim/sgd.h"
#include "../core/expect.h"
#include "../layers/helpers.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::error_of, test::expect_equal, test::expect_tensor;

struct Swap : nn::Layer<Swap> {
  std::pair<Tensor, Tensor> forward(const Tensor& a, const Tensor& b) const { return {b, a * 2}; }
};

// ---- Replay
// ----------------------------------------------------------------------------------------

TEST(Model, FunctionsFollowTheBatch) {
  using Row = std::pair<const char*, std::function<Tensor(const Tensor&)>>;
  const Tensor row = tensor({{1.0, 2.0, 3.0}}), target = tensor({2});
  const std::vector<Row> rows{
      {"broadcast", [&](const Tensor& x) { return x * row + 1; }},
      {"mean over the batch", [](const Tensor& x) { return x - mean(x, 0, true); }},
      {"mean of all", [](const Tensor& x) { return x / mean(x); }},
      {"reshape",
       [](const Tensor& x) {
         return x.reshape({-1, 1});
       }},
      {"flatten", [](const Tensor& x) { return x.unsqueeze(1).flatten(1); }},
      {"flatten all", [](const Tensor& x) { return x.flatten() * 2; }},
      {"expand",
       [](const Tensor& x) {
         return x.unsqueeze(1).expand({-1, 2, -1}) + 0;
       }},
      {"outer product", [](const Tensor& x) { return matmul(x, x.t()); }},
      {"cat along the batch",
       [](const Tensor& x) {
         return cat({x, x});
       }},
      {"slice of the batch", [](const Tensor& x) { return x.slice(0, 1) + 0; }},
      {"zeros_like", [](const Tensor& x) { return zeros_like(x) + ones_like(x); }},
      {"where", [](const Tensor& x) { return where(x > 0, x, 0); }},
      {"softmax", [](const Tensor& x) { return softmax(x, 1); }},
      {"cross_entropy", [](const Tensor& x) { return cross_entropy(x, argmax(x, 1)); }},
      {"mse_loss", [](const Tensor& x) { return mse_loss(x, x * 2); }},
  };
  for (const auto& [what, f] : rows) {
    const Tensor input = Input({3});
    const SymbolicModel model(input, f(input));
    for (const int64_t batch : {0, 1, 3, 8, 16, 21}) {
      SCOPED_TRACE(text(what, ", batch of ", batch));
      const Tensor x = randn({batch, 3});
      expect_tensor(model(x), f(x));
    }
  }
}

TEST(Model, LossesMayStandInTheGraph) {
  const Tensor x = Input({4}), target = Input({}, {.dtype = int64});
  nn::Linear layer(4, 3);
  const Tensor logits = layer(x);
  const SymbolicModel model({x, target}, {nn::CrossEntropyLoss()(logits, target), logits});
  const Tensor data = randn({5, 4}), labels = tensor({0, 2, 1, 1, 0});
  const Tensors out = model.outputs(data, labels);
  expect_equal(out[0], cross_entropy(layer(data), labels));
  out[0].backward();
  EXPECT_TRUE(layer.weight().grad().defined());
}

TEST(Model, EqualsTheHandWrittenFormToTheBit) {
  const SymbolicModel model = test::toy_resnet();
  SymbolicModel(model).eval();
  const auto p = model.parameters();
  const auto by_hand = [&](const Tensor& image) {
    const auto conv = [&](size_t i, const Tensor& x, int64_t padding) {
      return relu(conv2d(x, p[2 * i], p[2 * i + 1], {.padding = padding}));
    };
    const Tensor b1 = max_pool2d(conv(1, conv(0, image, 0), 0), 3);
    const Tensor b2 = conv(3, conv(2, b1, 1), 1) + b1;
    const Tensor b3 = conv(5, conv(4, b2, 1), 1) + b2;
    const Tensor x = avg_pool2d(conv(6, b3, 0), 7).flatten(1);
    return linear(relu(linear(x, p[14], p[15])), p[16], p[17]);
  };
  const Tensor image = randn({2, 3, 32, 32}), other = image.clone();
  Tensor(image).requires_grad_();
  Tensor(other).requires_grad_();
  const Tensor y = model(image), expected = by_hand(other);
  expect_equal(y, expected);
  sum(y * y).backward();
  std::vector<Tensor> gradients;
  for (const Tensor& parameter : p) gradients.push_back(parameter.grad());
  SymbolicModel(model).zero_grad();
  sum(expected * expected).backward();
  for (size_t i = 0; i < p.size(); ++i) expect_equal(gradients[i], p[i].grad());
  expect_equal(image.grad(), other.grad());
}

TEST(Model, BothNotationsGiveTheIdenticalModel) {
  SymbolicModel a = test::toy_resnet(), b = test::toy_resnet_called();
  EXPECT_EQ(a.summary(), b.summary());
  EXPECT_EQ(test::names(a.state_dict()), test::names(b.state_dict()));
  b.load_state_dict(a.state_dict());
  a.eval();
  b.eval();
  const Tensor x = randn({2, 3, 32, 32});
  expect_equal(a(x), b(x));
}

TEST(Model, ShapesWithUnknownAndKnownBatch) {
  const SymbolicModel any = test::toy_resnet(), four = test::toy_resnet({.batch_size = 4});
  EXPECT_EQ(shape_text(any.input_shape()), "(None, 3, 32, 32)");
  EXPECT_EQ(shape_text(any.output_shape()), "(None, 10)");
  EXPECT_EQ(shape_text(four.output_shape()), "(4, 10)");
  EXPECT_EQ(four(zeros({4, 3, 32, 32})).shape(), (Shape{4, 10}));
  EXPECT_EQ(
      error_of([&] {
        four(zeros({5, 3, 32, 32}));
      }),
      "SymbolicModel: expected input 0 of float32 (4, 3, 32, 32), got float32 (5, 3, 32, 32)");
}

// ---- Inputs and outputs
// ------------------------------------------------------------------------------

TEST(Model, SeveralInputsAndOutputsInTheGivenOrder) {
  const Tensor a = Input({2}), b = Input({2});
  const auto [left, right] = Swap()(a, b);
  const SymbolicModel model({b, a}, {right, left, left});
  EXPECT_EQ(model.num_inputs(), 2u);
  EXPECT_EQ(model.num_outputs(), 3u);
  EXPECT_EQ(model.output_shapes().size(), 3u);
  const Tensors out = model.outputs(tensor({{1.0, 2.0}}), tensor({{5.0, 6.0}}));
  expect_tensor(out[0], tensor({{10.0, 12.0}}));
  expect_tensor(out[1], tensor({{1.0, 2.0}}));
  expect_tensor(out[2], out[1]);
}

TEST(Model, AnOutputMayBeAnInputAndAnInputUnused) {
  const Tensor a = Input({2}), b = Input({3});
  const SymbolicModel model({a, b}, {b, relu(b)});
  const Tensors out = model.outputs(zeros({1, 2}), tensor({{-1.0, 0.0, 1.0}}));
  expect_tensor(out[0], tensor({{-1.0, 0.0, 1.0}}));
  expect_tensor(out[1], tensor({{0.0, 0.0, 1.0}}));
}

TEST(Model, InputsMayBeInnerNodes) {
  const Tensor x = Input({4}), h = nn::Linear(4, 3)(x), y = nn::Linear(3, 2)(relu(h));
  const SymbolicModel whole(x, y), body(x, h), head(h, y);
  const Tensor data = randn({5, 4});
  expect_equal(whole(data), head(body(data)));
  EXPECT_EQ(whole.parameters().size(), 4u);
  EXPECT_EQ(head.parameters().size(), 2u);
  EXPECT_EQ(shape_text(head.input_shape()), "(None, 3)");
}

TEST(Model, ConstantsAreKeptAndGetGradients) {
  const Tensor x = Input({2}), scale = tensor({2.0, 3.0}, {.requires_grad = true});
  const SymbolicModel model(x, x * scale + tensor({1.0, 1.0}));
  sum(model(ones({4, 2}))).backward();
  expect_tensor(model(ones({1, 2})), tensor({{3.0, 4.0}}));
  expect_tensor(scale.grad(), tensor({4.0, 4.0}));
}

// ---- Sharing, nesting
// --------------------------------------------------------------------------------

TEST(Model, ASharedLayerIsRunTwiceAndCountedOnce) {
  nn::Linear layer(3, 3);
  const Tensor x = Input({3});
  const SymbolicModel model(x, layer(layer(x)));
  EXPECT_EQ(model.parameters().size(), 2u);
  EXPECT_EQ(model.num_parameters(), 12);
  const Tensor data = randn({2, 3});
  expect_equal(model(data), layer(layer(data)));
}

TEST(Model, SubModelsShareTheWeights) {
  const Tensor x = Input({4}), h = nn::Linear(4, 3)(x), y = nn::Linear(3, 2)(h);
  SymbolicModel whole(x, y), features(x, h);
  const Tensor data = randn({6, 4}), before = features(data);
  optim::SGD optimizer(whole.parameters(), {.lr = 0.1});
  sum(whole(data)).backward();
  optimizer.step();
  EXPECT_GT(max(abs(features(data) - before)).item<double>(), 0);
  EXPECT_EQ(features.parameters()[0].ref(), whole.parameters()[0].ref());
}

TEST(Model, NestsAsALayer) {
  const Tensor x = Input({4});
  const SymbolicModel inner(x, nn::ReLU()(nn::Linear(4, 4)(x)));
  const Tensor outer_x = Input({4});
  const SymbolicModel outer(outer_x, nn::Linear(4, 2)(inner(inner(outer_x)) + outer_x));
  EXPECT_EQ(outer.num_parameters(), 4 * 4 + 4 + 4 * 2 + 2);
  const Tensor data = randn({3, 4});
  const auto p = outer.parameters();
  expect_equal(outer(data), linear(inner(inner(data)) + data, p[2], p[3]));
  const nn::Sequential wrapped(inner, nn::Tanh());
  expect_equal(wrapped(data), tanh(inner(data)));
}

TEST(Model, AModelOfTwoOutputsNestsAsOneStep) {
  const Tensor a = Input({2}), b = Input({2});
  const auto [left, right] = Swap()(a, b);
  const SymbolicModel inner({a, b}, {left, right});
  const Tensor x = Input({2});
  const Tensors both = inner.outputs(x, x + 1);
  const SymbolicModel outer(x, both[0] - both[1]);
  expect_tensor(outer(tensor({{1.0, 5.0}})), tensor({{0.0, -4.0}}));  // x + 1 - 2 x
}

// ---- Modes and errors
// --------------------------------------------------------------------------------

TEST(Model, TrainAndEvalReachTheLayers) {
  nn::BatchNorm1d norm(3);
  const Tensor x = Input({3});
  SymbolicModel model(x, nn::Dropout(0.5)(norm(x)));
  const Tensor data = randn({50, 3});
  model.eval();
  EXPECT_FALSE(norm.is_training());
  expect_equal(model(data), model(data));
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 0);
  model.train();
  EXPECT_GT(max(abs(model(data) - model(data))).item<double>(), 0);
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 2);
}

TEST(Model, ErrorsInReplayNameTheLayer) {
  nn::Conv2d second(4, 4, 3);
  const Tensor x = Input({3, 8, 8});
  const SymbolicModel model(x, second(nn::Conv2d(3, 4, 3)(x)));
  const Tensor z = Input({4, 8, 8});
  const SymbolicModel part(z, second(z));  // in which it has another name
  second.to(float64);                      // no longer fits the first
  const std::string expected =
      "Conv2d_2: conv2d: expected operands of one floating-point dtype, got float32 and float64";
  EXPECT_EQ(error_of([&] { model(zeros({1, 3, 8, 8})); }), expected);
  EXPECT_EQ(error_of([&] { part(zeros({1, 4, 8, 8})); }), "Conv2d_1" + expected.substr(8));
  const Tensor y = Input({3, 8, 8});
  second.to(float32);
  const SymbolicModel outer(y, model(relu(y)));
  second.to(float64);
  EXPECT_EQ(error_of([&] { outer(zeros({1, 3, 8, 8})); }), "SymbolicModel_1." + expected);
}

TEST(Model, OutlivesTheTensorsItWasMadeOf) {
  const auto make = [] {
    const Tensor x = Input({3});
    return SymbolicModel(x, relu(x) + 1);
  };
  expect_tensor(make()(tensor({{-1.0, 0.0, 2.0}})), tensor({{1.0, 1.0, 3.0}}));
}

TEST(Model, LearnsWhatItShould) {
  manual_seed(3);
  const Tensor x = Input({2});
  SymbolicModel model(x, nn::Linear(16, 2)(nn::Tanh()(nn::Linear(2, 16)(x))));
  const Tensor data = tensor({{0.0, 0.0}, {0.0, 1.0}, {1.0, 0.0}, {1.0, 1.0}});
  const Tensor labels = tensor({0, 1, 1, 0});  // exclusive or
  optim::SGD optimizer(model.parameters(), {.lr = 0.5, .momentum = 0.9});
  for (int step = 0; step < 200; ++step) {
    optimizer.zero_grad();
    cross_entropy(model(data), labels).backward();
    optimizer.step();
  }
  expect_equal(argmax(model(data), 1), labels);
}

}  // namespace
}  // namespace reprise
