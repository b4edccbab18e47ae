#include <atomic>
#include <map>
#include <optional>
#include <thread>

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::expect_equal;
using Values = std::vector<std::pair<std::string, std::vector<double>>>;

Values values_of(const nn::Module& layer) {
  Values out;
  for (const auto& [name, t] : layer.state_dict()) out.emplace_back(name, t.to_vector<double>());
  return out;
}

/// One step down the gradient of the sum of squares; also moves statistics.
void train_step(nn::Module& layer, const Tensors& in) {
  manual_seed(7);
  const Tensor y = layer.call(in).front();
  if (layer.parameters().empty()) return;
  mean(y * y).backward();
  const NoGradGuard no_grad;
  for (Tensor& p : layer.parameters()) {
    if (p.grad().defined()) p.sub_(p.grad());
  }
}

/// A clone has the values, settings and outputs of the original, and neither changes the other.
void expect_independent(nn::Module& layer, const Tensors& in) {
  const auto twin = layer.clone();
  EXPECT_EQ(to_string(*twin), to_string(layer));
  EXPECT_EQ(values_of(*twin), values_of(layer));
  EXPECT_EQ(twin->is_training(), layer.is_training());
  EXPECT_FALSE(twin->shares_state_with(layer));
  const auto ours = layer.parameters(), theirs = twin->parameters();
  ASSERT_EQ(ours.size(), theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NE(ours[i].impl().storage, theirs[i].impl().storage);
    EXPECT_EQ(ours[i].requires_grad(), theirs[i].requires_grad());
    EXPECT_TRUE(theirs[i].is_leaf() && !theirs[i].grad().defined());
    EXPECT_EQ(ours[i].dtype(), theirs[i].dtype());
  }
  for (nn::Module* trained : {twin.get(), &layer}) {
    nn::Module& other = trained == twin.get() ? layer : *twin;
    const Values before = values_of(other), own_before = values_of(*trained);
    train_step(*trained, in);
    EXPECT_EQ(values_of(other), before);
    if (!ours.empty()) {
      EXPECT_NE(values_of(*trained), own_before);
    }
  }
  EXPECT_EQ(values_of(*twin), values_of(layer));  // the same step from the same values
  manual_seed(3);
  const Tensor y = layer.call(in).front();
  manual_seed(3);
  expect_equal(y, twin->call(in).front());
}

struct Block : nn::Layer<Block> {
  nn::Conv2d conv{3, 3, 3, {.padding = 1, .bias = false}};
  nn::BatchNorm2d bn{3};
  Block() {
    register_module("conv", conv);
    register_module("bn", bn);
  }
  Tensor forward(const Tensor& x) { return relu(bn(conv(x))) + x; }
};

/// Members of every kind.
struct Net : nn::Layer<Net> {
  std::vector<Block> blocks;
  std::optional<nn::BatchNorm2d> norm;
  std::map<std::string, nn::Linear> heads;
  nn::Sequential tail;
  std::vector<nn::Parameter> scales;
  nn::Buffer shift;
  std::function<Tensor(const Tensor&)> between;
  Net() {
    for (int i = 0; i < 2; ++i) {
      register_module("block" + std::to_string(i), blocks.emplace_back());
      scales.push_back(register_parameter("scale" + std::to_string(i), ones({1})));
    }
    register_module("norm", norm.emplace(3));
    heads.emplace("a", register_module("a", nn::Linear(12, 4)));
    tail = register_module("tail", nn::Sequential(nn::ReLU(), heads.at("a"), nn::Dropout()));
    shift = register_buffer("shift", full({4}, 2.));
    between = [norm = *norm](const Tensor& x) { return norm(x); };
  }
  Tensor forward(const Tensor& x) {
    Tensor y = x;
    for (size_t i = 0; i < blocks.size(); ++i) y = blocks[i](y) * scales[i];
    return tail(between(y).flatten(1)) + heads.at("a")(y.flatten(1)) + shift;
  }
};

TEST(Clone, EveryLayerIsIndependent) {
  const auto row = [](auto layer, const Tensors& in) {
    SCOPED_TRACE(to_string(layer));
    expect_independent(layer, in);
    layer.eval();
    layer.to(float64);
    layer.requires_grad_(false);
    Tensors doubles;
    for (const Tensor& x : in) {
      doubles.push_back(is_floating_point(x.dtype()) ? x.to(float64) : x);
    }
    const auto twin = layer.clone();
    static_assert(std::is_same_v<decltype(layer.clone()), decltype(layer)>);
    expect_equal(twin.clone().call(doubles).front(), layer.call(doubles).front());
    for (const Tensor& p : twin.parameters()) EXPECT_FALSE(p.requires_grad());
  };
  manual_seed(1);
  const Tensor rows = randn({4, 3}), image = randn({2, 3, 4, 4});
  const Tensor target = tensor({0, 1, 2, 1}, {.dtype = int64});
  row(nn::Linear(3, 5), {rows});
  row(nn::Linear(3, 5, {.bias = false}), {rows});
  row(nn::Conv2d(3, 6, 3, {.padding = 1, .groups = 3}), {image});
  row(nn::Conv2d(3, 2, 3, {.bias = false}), {image});
  row(nn::BatchNorm1d(3), {rows});
  row(nn::BatchNorm1d(3, {.momentum = {}}), {rows});
  row(nn::BatchNorm2d(3, {.affine = false}), {image});
  row(nn::BatchNorm2d(3, {.track_running_stats = false}), {image});
  row(nn::ReLU(), {rows});
  row(nn::Tanh(), {rows});
  row(nn::Sigmoid(), {rows});
  row(nn::Softmax(1), {rows});
  row(nn::LogSoftmax(1), {rows});
  row(nn::Dropout(), {rows});
  row(nn::Flatten(), {image});
  row(nn::Identity(), {rows});
  row(nn::MaxPool2d(2), {image});
  row(nn::AvgPool2d(2), {image});
  row(nn::MSELoss(), {rows, rows * 2});
  row(nn::CrossEntropyLoss({.weight = ones({3})}), {rows, target});
  row(nn::Callback([](const Tensor&) {}), {rows});
  row(nn::Sequential(), {rows});
  row(nn::Sequential(nn::Linear(3, 4), nn::Tanh(), nn::Sequential(nn::Linear(4, 2))), {rows});
  row(Block(), {image});
  row(nn::Sequential(Block(), nn::Flatten(), nn::Linear(48, 2)), {image});
}

TEST(Clone, MembersFollowWhereverTheyStand) {
  manual_seed(1);
  Net net;
  net.scales[0].requires_grad_(false);
  expect_independent(net, {randn({2, 3, 2, 2})});
  const Net twin = net.clone();
  EXPECT_EQ(twin.scales[1].ref(), twin.named_parameters()[1].second.ref());
  EXPECT_EQ(twin.shift.ref(), twin.named_buffers()[0].second.ref());
  EXPECT_TRUE(twin.blocks[1].shares_state_with(*twin.children()[1].second));
  EXPECT_TRUE(twin.heads.at("a").shares_state_with(twin.tail[1]));
  EXPECT_FALSE(twin.norm->shares_state_with(*net.norm));
  const Net of_twin = twin.clone();
  EXPECT_EQ(values_of(of_twin), values_of(net));
  EXPECT_NE(of_twin.scales[1].ref(), twin.scales[1].ref());
}

TEST(Clone, TheWeightOfALossIsItsOwn) {
  const nn::CrossEntropyLoss loss({.weight = tensor({1., 2., 3.}).to(float32)});
  const nn::CrossEntropyLoss twin = loss.clone();
  twin.buffers()[0].fill_(1);
  const Tensor x = ones({2, 3}) * tensor({1., 2., 4.}).to(float32);
  const Tensor target = tensor({0, 2}, {.dtype = int64});
  expect_equal(twin(x, target), cross_entropy(x, target));
  EXPECT_NE(loss(x, target).item<float>(), twin(x, target).item<float>());
}

TEST(Clone, WhatIsSharedStaysShared) {
  const nn::Linear shared(3, 3);
  const auto object = std::make_shared<nn::ReLU>();
  nn::Sequential net(shared, nn::ReLU(), shared);
  net.push_back(object);
  net.push_back(object);
  const nn::Sequential twin = net.clone();
  EXPECT_EQ(twin.num_parameters(), 12);
  EXPECT_TRUE(twin[0].shares_state_with(twin[2]));
  EXPECT_FALSE(twin[0].shares_state_with(shared));
  EXPECT_EQ(&twin[3], &twin[4]);
}

struct Tied : nn::Layer<Tied> {
  nn::Linear encode{3, 2, {.bias = false}};
  nn::Parameter decode;
  Tied() {
    register_module("encode", encode);
    decode = register_parameter("decode", encode.weight());
  }
  Tensor forward(const Tensor& x) { return matmul(encode(x), decode); }
};

TEST(Clone, TiedWeightsStayTied) {
  Tied net;
  expect_independent(net, {randn({4, 3})});
  const Tied twin = net.clone();
  EXPECT_EQ(twin.decode.ref(), twin.encode.weight().ref());
  EXPECT_EQ(twin.parameters().size(), 1u);
}

TEST(Clone, HasItsOwnModeNameGradientsAndHooks) {
  Block net;
  net.bn.eval();
  net(ones({1, 3, 2, 2})).sum().backward();
  int calls = 0;
  nn::HookHandle handle = net.conv.register_forward_hook(
      [&calls, bn = net.bn](const nn::Module&, std::span<const Tensor>, Tensors&) {
        calls += bn.is_training() ? 100 : 1;
      });
  Block twin = net.clone();
  EXPECT_FALSE(twin.bn.is_training());
  EXPECT_TRUE(twin.is_training());
  twin.bn.train();
  EXPECT_FALSE(net.bn.is_training());
  for (const Tensor& p : twin.parameters()) EXPECT_FALSE(p.grad().defined());
  EXPECT_TRUE(net.parameters()[0].grad().defined());

  handle.remove();
  net(ones({1, 3, 2, 2}));
  EXPECT_EQ(calls, 0);
  twin(ones({1, 3, 2, 2}));
  EXPECT_EQ(calls, 100);  // the hook is the clone's, and so is the layer that it captured

  EXPECT_EQ(error_of([&] { net.conv(ones({1, 2, 2, 2})); }).substr(0, 14), "conv: conv2d: ");
  nn::Conv2d alone = net.conv.clone();
  EXPECT_EQ(error_of([&] { alone(ones({1, 2, 2, 2})); }).substr(0, 16), "Conv2d: conv2d: ");
}

struct Plain : nn::Layer<Plain> {
  Tensor scale = register_parameter("scale", ones({1}));
  Tensor forward(const Tensor& x) { return x * scale; }
};
struct PlainBuffer : nn::Layer<PlainBuffer> {
  std::vector<Tensor> kept{register_buffer("mean", ones({1}))};
  Tensor forward(const Tensor& x) { return x - kept[0]; }
};
struct PlainTied : nn::Layer<PlainTied> {
  nn::Linear encode = register_module("encode", nn::Linear(2, 2));
  Tensor decode = register_parameter("decode", encode.weight());
  Tensor forward(const Tensor& x) { return matmul(encode(x), decode); }
};
struct ByPointer : nn::Layer<ByPointer> {
  std::shared_ptr<nn::Linear> fc = std::make_shared<nn::Linear>(2, 2);
  ByPointer() { register_module("fc", fc); }
  Tensor forward(const Tensor& x) { return (*fc)(x); }
};

TEST(Clone, RefusesMembersThatWouldStayThoseOfTheOriginal) {
  EXPECT_EQ(error_of([] { Plain().clone(); }),
            "Plain: cannot be cloned, since its parameter \"scale\" would stay that of the "
            "original; keep it as nn::Parameter scale = register_parameter(\"scale\", ...)");
  EXPECT_EQ(error_of([] { nn::Sequential(nn::ReLU(), PlainBuffer()).clone(); }),
            "PlainBuffer: cannot be cloned, since its buffer \"mean\" would stay that of the "
            "original; keep it as nn::Buffer mean = register_buffer(\"mean\", ...)");
  EXPECT_EQ(error_of([] { PlainTied().clone(); }),
            "PlainTied: cannot be cloned, since its parameter \"decode\" would stay that of the "
            "original; keep it as nn::Parameter decode = register_parameter(\"decode\", ...)");
  EXPECT_EQ(error_of([] { ByPointer().clone(); }),
            "ByPointer: cannot be cloned, since its module \"fc\", held by a pointer, would stay "
            "that of the original; keep it by value, or reach it through children()");
  const auto outside = std::make_shared<nn::Linear>(2, 2);  // a pointer that is no member
  EXPECT_EQ(nn::Sequential({outside}).clone().num_parameters(), 6);
  nn::Linear layer(2, 2);
  EXPECT_EQ(error_of([] { Plain().clone(); }).substr(0, 5), "Plain");
  EXPECT_TRUE(nn::Linear(layer).shares_state_with(layer));  // copies share again after an error
}

struct Throwing : nn::Layer<Throwing> {
  Throwing() = default;
  Throwing(const Throwing& other) : Layer(other), armed(other.armed) {
    check(!armed, ErrorKind::Value, "no copy today");
  }
  bool armed = false;
  Tensor forward(const Tensor& x) { return x; }
};

TEST(Clone, AnExceptionLeavesEverythingAsItWas) {
  nn::Sequential net(nn::Linear(2, 2), Throwing());
  const Values before = values_of(net);
  dynamic_cast<Throwing&>(net[1]).armed = true;
  EXPECT_EQ(error_of([&] { net.clone(); }), "no copy today");
  EXPECT_EQ(values_of(net), before);
  const nn::Sequential copy = net;
  EXPECT_TRUE(copy.shares_state_with(net));
  dynamic_cast<Throwing&>(net[1]).armed = false;
  EXPECT_EQ(values_of(net.clone()), before);
}

/// Members set in a constructor of the user's own, and a clone within the clone.
struct Assigning : nn::Layer<Assigning> {
  nn::Linear fc{2, 2}, spare{2, 2};
  nn::Parameter scale;
  Assigning() : scale(register_parameter("scale", ones({1}))) { register_module("fc", fc); }
  Assigning(const Assigning& other) : Layer(other) {
    fc = other.fc;
    spare = other.spare.clone();
    scale = other.scale;
  }
  Tensor forward(const Tensor& x) { return fc(x) * scale; }
};

TEST(Clone, FollowsCopyConstructorsOfUsers) {
  Assigning net;
  expect_independent(net, {randn({4, 2})});
  const Assigning copy = net, twin = net.clone();
  EXPECT_TRUE(copy.fc.shares_state_with(net.fc));
  EXPECT_TRUE(twin.fc.shares_state_with(*twin.children()[0].second));
}

TEST(Clone, ManyThreadsCloneOneLayer) {
  const auto outside = std::make_shared<nn::Linear>(12, 4);
  const nn::Sequential net(Net(), nn::Sequential({outside, std::make_shared<nn::ReLU>()}));
  const Values before = values_of(net);
  std::vector<std::thread> threads;
  std::atomic<int> equal = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 50; ++k) equal += values_of(net.clone()) == before;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, 200);
}

TEST(Clone, ParametersPassForTensors) {
  Net net;
  const Tensor y = net.heads.at("a")(net.shift.expand({3, 4}).matmul(ones({4, 12})));
  EXPECT_EQ(nn::Identity()(net.shift).ref(), net.shift.ref());
  EXPECT_EQ(nn::MSELoss()(net.shift, net.shift).item<float>(), 0);
  EXPECT_EQ(net.shift(nn::ReLU()).ref() == net.shift.ref(), false);
  nn::Parameter none = net.register_parameter("none", {});
  EXPECT_FALSE(none.defined() || nn::Buffer().defined());
  EXPECT_EQ(y.shape(), Shape({3, 4}));
}

}  // namespace
}  // namespace reprise
