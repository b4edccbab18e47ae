// How layers are called: arguments and results of forward, hooks, error paths, symbols.

#include <tuple>

#include "../../layers/nn.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of;
using test::expect_equal;

struct Split : nn::Layer<Split> {
  std::pair<Tensor, Tensor> forward(const Tensor& x) const { return {x + 1, x + 2}; }
};
struct Largest : nn::Layer<Largest> {
  ValuesIndices forward(const Tensor& x) const { return max(x, 0); }
};
struct Mix : nn::Layer<Mix> {
  std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& a, const Tensor& b) const {
    return {a, b, a + b};
  }
};
struct Total : nn::Layer<Total> {
  Tensor forward(const Tensors& all) const {
    Tensor out = all[0];
    for (size_t i = 1; i < all.size(); ++i) out = out + all[i];
    return out;
  }
};
struct Masked : nn::Layer<Masked> {
  Tensors forward(const Tensor& x, const Tensor& mask = {}) const {
    return {mask.defined() ? x * mask : x};
  }
};
struct Broken : nn::Layer<Broken> {
  nn::Sequential features{nn::ReLU(), nn::Linear(3, 2)};
  Broken() { register_module("features", features); }
  Tensor forward(const Tensor& x) { return features(x); }
};

const Tensor one = ones({2}), two = full({2}, 2.0), three = full({2}, 3.0);

TEST(Call, ResultsAreWhatForwardReturns) {
  const auto [first, second] = Split()(one);
  expect_equal(first, two);
  expect_equal(second, three);
  const auto [values, indices] = Largest()(tensor({1, 5, 3}));
  EXPECT_EQ(values.item<int>(), 5);
  EXPECT_EQ(indices.item<int>(), 1);
  const auto [a, b, sum] = Mix()(one, two);
  expect_equal(sum, three);
  expect_equal(Total()(one, one, one), three);
  expect_equal(Masked()(one, two)[0], two);
  expect_equal(Masked()(two)[0], two);
}

TEST(Call, ListsAreSpreadOverTheArguments) {
  EXPECT_EQ(Split().call(std::array{one}).size(), 2u);
  EXPECT_EQ(Mix().call(std::array{one, two}).size(), 3u);
  EXPECT_EQ(Largest().call(std::array{one}).size(), 2u);
  expect_equal(Total().call(std::array{one, one, one})[0], three);
  expect_equal(Masked().call(std::array{one, two})[0], two);
  EXPECT_EQ(error_of([] { Mix().call(std::array{one}); }), "Mix: forward does not take 1 inputs");
}

TEST(Call, BothNotationsAndConstLayers) {
  const nn::ReLU layer;
  expect_equal(layer(one), one);
  expect_equal(one(layer), one);
  expect_equal(one(nn::ReLU())(nn::Identity()), one);
  const nn::Sequential net{nn::Identity(), nn::ReLU()};
  expect_equal(net(one), one);
  expect_equal(net[-1](one), one);
  EXPECT_EQ(error_of([&] { net[2]; }), "Sequential: expected an index below 2, got 2");
}

TEST(Call, ErrorsNameThePathToTheLayer) {
  const auto first_words = [](const std::string& text) { return text.substr(0, text.find(" e")); };
  EXPECT_EQ(first_words(error_of([] { nn::Linear(3, 2)(ones({2, 4})); })), "Linear: linear:");
  EXPECT_EQ(first_words(error_of([] { Broken()(ones({2, 4})); })), "features.1: linear:");
  nn::Sequential outer{nn::Identity(), Broken()};
  EXPECT_EQ(first_words(error_of([&] { outer(ones({2, 4})); })), "1.features.1: linear:");
  EXPECT_EQ(first_words(error_of([&] {
              outer.call(std::array{ones({2, 4})});
            })),
            "1.features.1: linear:");
}

TEST(Call, ErrorsOfBackwardNameTheLayer) {
  const auto first_words = [](const std::string& text) { return text.substr(0, text.find(" o")); };
  nn::Sequential inner(nn::Tanh(), nn::Linear(3, 2)), net(nn::Linear(4, 3), inner);
  Tensor kept;
  const auto keep = [&](const nn::Module&, std::span<const Tensor>, Tensors& out) {
    kept = out[0];
  };
  inner[0].register_forward_hook(keep);
  const Tensor y = net(ones({5, 4}));
  kept.detach().mul_(2);
  EXPECT_EQ(first_words(error_of([&] { y.sum().backward(); })), "1.1: linear: input 0");
  const Tensor x = ones({3}, {.requires_grad = true});
  Tensor outside = exp(x);
  outside.detach().mul_(2);
  EXPECT_EQ(first_words(error_of([&] { outside.sum().backward(); })), "exp:");
}

TEST(Call, HooksRunAroundForwardAndCanBeTakenOff) {
  nn::Identity layer;
  const nn::Identity copy = layer;
  int calls = 0;
  auto before = layer.register_forward_pre_hook(
      [](const nn::Module&, Tensors& inputs) { inputs[0] = inputs[0] + 1; });
  auto after = layer.register_forward_hook(
      [&](const nn::Module& module, std::span<const Tensor> inputs, Tensors& outputs) {
        ++calls;
        EXPECT_EQ(module.name(), "Identity");
        expect_equal(inputs[0], two);
        outputs[0] = outputs[0] + 1;
      });
  expect_equal(layer(one), three);
  expect_equal(copy(one), three);
  expect_equal(layer.call(std::array{one})[0], three);
  EXPECT_EQ(calls, 3);
  after.remove();
  expect_equal(layer(one), two);
  before.remove();
  before.remove();
  expect_equal(layer(one), one);
  EXPECT_EQ(calls, 3);
}

TEST(Call, AHookMayTakeItselfOff) {
  nn::Identity layer;
  std::optional<nn::HookHandle> handle;
  int calls = 0;
  handle = layer.register_forward_hook(
      [&](const nn::Module&, std::span<const Tensor>, Tensors&) { ++calls, handle->remove(); });
  layer(one);
  layer(one);
  EXPECT_EQ(calls, 1);
}

/// A graph of one node: notes what was called and runs it on tensors without data.
struct FakeSymbol : Symbol {
  std::string text() const override { return "fake"; }
  void set_name(const std::string&) override {}
  std::shared_ptr<Callable> called;
  size_t inputs = 0;
  Tensors call(std::shared_ptr<Callable> callable, std::span<const Tensor> in) override {
    called = callable;
    inputs = in.size();
    Tensors metas;
    for (const Tensor& t : in)
      metas.push_back(meta_tensor(Meta(t.shape(), t.dtype(), Device::meta())));
    return callable->call(metas);
  }
};

Tensor symbol_of(const Ref<FakeSymbol>& symbol, const Shape& shape) {
  Tensor out = meta_tensor(Meta(shape, float32, Device::meta()));
  out.impl().symbol = symbol;
  return out;
}

TEST(Call, ASymbolGetsOneNodeThatSharesTheParameters) {
  const auto symbol = make_ref<FakeSymbol>();
  const Tensor x = symbol_of(symbol, {7, 3});
  const nn::Linear layer(3, 2);
  EXPECT_EQ(layer(x).shape(), (Shape{7, 2}));
  const auto* called = dynamic_cast<nn::Linear*>(symbol->called.get());
  ASSERT_NE(called, nullptr);
  EXPECT_TRUE(called->shares_state_with(layer));

  nn::Sequential net(layer, nn::ReLU());
  EXPECT_EQ(x(net).shape(), (Shape{7, 2}));
  EXPECT_EQ(symbol->called->name(), "Sequential");
  EXPECT_EQ(net[0](x).shape(), (Shape{7, 2}));
  EXPECT_EQ(symbol->called->name(), "Linear");
  const auto [a, b, sum] = Mix()(x, ones({7, 3}));
  EXPECT_EQ(symbol->inputs, 2u);
  EXPECT_EQ(sum.shape(), (Shape{7, 3}));
}

TEST(Call, InferringShapesMovesNoStatistics) {
  nn::BatchNorm1d norm(3);
  const auto symbol = make_ref<FakeSymbol>();
  EXPECT_EQ(norm(symbol_of(symbol, {7, 3})).shape(), (Shape{7, 3}));
  EXPECT_EQ(norm.num_batches_tracked().item<int>(), 0);
}

}  // namespace
}  // namespace reprise
