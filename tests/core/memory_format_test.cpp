// Memory formats: what tensors and ops say of them, gradients, and layers in channels-last.

#include <gtest/gtest.h>

#include <functional>

#include "../../autograd/engine.h"
#include "../../graph/model.h"
#include "../../graph/program.h"
#include "../../graph/text.h"
#include "../../layers/nn.h"
#include "expect.h"

namespace reprise {
namespace {

Tensor image(const Shape& shape) { return arange(shape.numel()).to(float32).reshape(shape); }

bool is_last(const Tensor& x) { return x.meta().is_channels_last(); }

TEST(MemoryFormat, ChangesStridesAlone) {
  const Tensor x = image({2, 3, 4, 5}), y = x.to(channels_last);
  EXPECT_EQ(y.shape(), x.shape());
  EXPECT_EQ(y.strides(), (Strides{60, 1, 15, 3}));
  EXPECT_EQ(y.to_vector<float>(), x.to_vector<float>());
  EXPECT_TRUE(y.is_contiguous(channels_last) && !y.is_contiguous());
  EXPECT_TRUE(x.is_contiguous() && !x.is_contiguous(channels_last));
  EXPECT_EQ(y.to(channels_last).ref(), y.ref());
  EXPECT_EQ(y.contiguous().strides(), x.strides());
  EXPECT_EQ(y.to(contiguous_format).strides(), x.strides());
  EXPECT_EQ(x.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2}).strides(), y.strides());
  EXPECT_EQ(x[0].contiguous(contiguous_format).shape(), (Shape{3, 4, 5}));
}

/// Where dimensions of size 1 leave memory no choice, strides tell what results should keep.
TEST(MemoryFormat, IsRememberedByStrides) {
  for (const Shape& shape : {Shape{2, 1, 4, 5}, Shape{2, 3, 1, 1}, Shape{1, 1, 1, 1}}) {
    const Tensor x = image(shape);
    EXPECT_TRUE(x.is_contiguous(channels_last) && x.is_contiguous());
    EXPECT_FALSE(is_last(x));
  }
  EXPECT_TRUE(is_last(image({2, 4, 5, 1}).permute({0, 3, 1, 2})));
  EXPECT_TRUE(zeros({0, 3, 4, 5}).is_contiguous(channels_last));
  EXPECT_FALSE(is_last(image({2, 3, 4}).permute({0, 2, 1})));
}

TEST(MemoryFormat, IsKeptByWhatIsMadeOfAnImage) {
  const Tensor x = image({2, 4, 6, 6}).to(channels_last), row = image({2, 4, 6, 6});
  const Tensor one = ones({}), channel = ones({1, 4, 1, 1});
  const std::vector<std::pair<std::string, Tensor>> kept{
      {"clone", x.clone()},
      {"zeros_like", zeros_like(x)},
      {"empty_like", empty_like(x)},
      {"relu", relu(x)},
      {"cast", x.to(float64)},
      {"compare", x > 3},
      {"where", where(x > 3, x, 0)},
      {"with a scalar", x * 2},
      {"with a channel", x + channel},
      {"a channel with it", channel + x},
      {"with a row-major one", row + x},
      {"conv2d", conv2d(x, ones({3, 4, 3, 3}))},
      {"conv2d by its weight", conv2d(row, ones({3, 4, 3, 3}).to(channels_last))},
      {"max_pool2d", max_pool2d(x, 2)},
      {"avg_pool2d", avg_pool2d(x, 2)},
      {"dropout", dropout(x, 0.5, true)},
      {"cat", cat({x, x}, 1)},
      {"batch_norm", batch_norm(x, zeros({4}), ones({4}), {}, {}, {.training = true})}};
  for (const auto& [name, y] : kept) EXPECT_TRUE(is_last(y)) << name << to_string(y.strides());
  for (const Tensor& y : {x.contiguous(), row + row, x.reshape({2, 144}).reshape({2, 4, 6, 6})}) {
    EXPECT_FALSE(is_last(y)) << to_string(y.strides());
  }
  EXPECT_EQ(x.reshape({2, 144}).to_vector<float>(), row.reshape({2, 144}).to_vector<float>());
}

TEST(MemoryFormat, RefusesOtherRanks) {
  test::expect_error(
      [] {
        image({3, 4, 5}).to(channels_last);
      },
      ErrorKind::Shape, {"to: expected a tensor [N, C, H, W] for channels_last, got [3, 4, 5]"});
  test::expect_error(
      [] {
        image({3, 4, 5}).contiguous(channels_last);
      },
      ErrorKind::Shape,
      {"contiguous: expected a tensor [N, C, H, W] for channels_last, got [3, 4, 5]"});
}

/// A .grad lies as its leaf does, whatever the gradient that arrives.
TEST(MemoryFormat, GradientsLieAsTheirLeaves) {
  for (const MemoryFormat format : {contiguous_format, channels_last}) {
    for (const MemoryFormat between : {contiguous_format, channels_last}) {
      Tensor x = image({2, 3, 4, 4}).to(format).clone().requires_grad_();
      const Tensor y = x.to(between) * 2;
      y.backward(image({2, 3, 4, 4}));
      EXPECT_EQ(is_last(x.grad()), format == channels_last);
      EXPECT_EQ(x.grad().to_vector<float>(), (image({2, 3, 4, 4}) * 2).to_vector<float>());
      const Tensor kept = x.grad();
      (x.to(between) * 2).backward(image({2, 3, 4, 4}));
      EXPECT_EQ(kept.to_vector<float>(), (image({2, 3, 4, 4}) * 4).to_vector<float>());
    }
  }
  Tensor x = image({2, 3, 4, 4}).to(channels_last).requires_grad_();
  x.sum().backward();  // an expanded one
  EXPECT_TRUE(is_last(x.grad()));
}

/// Whichever comes first: a trace, which adds up nothing in place, has the same.
TEST(MemoryFormat, SumsOfGradientsFollowTheRule) {
  for (const bool last_first : {false, true}) {
    const Tensor row = image({2, 3, 4, 4}), last = row.to(channels_last);
    const Tensor x = image({2, 3, 4, 4}).requires_grad_();
    const Tensor y = x * 2;
    const Tensor one = y * (last_first ? row : last), other = y * (last_first ? last : row);
    const Tensor g = grad({one.sum() + other.sum()}, {y})[0];
    EXPECT_TRUE(is_last(g));
    EXPECT_EQ(g.to_vector<float>(), (row * 2).to_vector<float>());
  }
}

TEST(MemoryFormat, GradientsThatAreRecordedLieAsTheirLeaf) {
  const Tensor row = image({2, 3, 4, 4}), last = row.to(channels_last);
  Tensor x = image({2, 3, 4, 4}).requires_grad_();
  for (const int times : {1, 2}) {
    (x * x * last).sum().backward({}, {.create_graph = true});
    EXPECT_FALSE(is_last(x.grad()));
    EXPECT_EQ(x.grad().to_vector<float>(), (x * row * (2 * times)).to_vector<float>());
  }
}

/// Also where the gradient that arrives lies otherwise than what was pooled.
TEST(MemoryFormat, GradientsOfPoolsLieAsTheImages) {
  using F = std::function<Tensor(const Tensor&)>;
  const std::vector<std::pair<std::string, F>> functions{
      {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(x, 2); }},
      {"max_pool2d", [](const Tensor& x) { return max_pool2d(x, 2); }}};
  for (const auto& [name, f] : functions) {
    for (const MemoryFormat format : {contiguous_format, channels_last}) {
      const auto gradient_beside = [&, &f = f](MemoryFormat other) {
        const Tensor x = image({2, 3, 4, 4}).to(format).requires_grad_();
        const Tensor y = f(x) + image({2, 3, 2, 2}).to(other);
        return grad({(y * y).sum()}, {x})[0];
      };
      const Tensor g = gradient_beside(contiguous_format), last = gradient_beside(channels_last);
      EXPECT_EQ(g.to_vector<float>(), last.to_vector<float>()) << name;
      EXPECT_EQ(is_last(last), format == channels_last) << name;
    }
  }
}

/// Also where the gradient that arrives is one of single pixels, and dense in both formats. The
/// strides are those that PyTorch gives.
TEST(MemoryFormat, GradientsOfImagesLieAsTheImages) {
  using F = std::function<Tensor(const Tensor&)>;
  const Tensor w = ones({3, 8, 5, 5}), own = ones({8, 1, 5, 5}), zero = zeros({8}), one = ones({8});
  const std::vector<std::pair<std::string, F>> functions{
      {"avg_pool2d", [](const Tensor& x) { return avg_pool2d(x, 5); }},
      {"max_pool2d", [](const Tensor& x) { return max_pool2d(x, 5); }},
      {"conv2d", [&](const Tensor& x) { return conv2d(x, w); }},
      {"depthwise", [&](const Tensor& x) { return conv2d(x, own, {}, {.groups = 8}); }},
      {"batch_norm",
       [&](const Tensor& x) {
         return avg_pool2d(batch_norm(x, zero, one, {}, {}, {.training = true}), 5);
       }},
      {"relu", [](const Tensor& x) { return avg_pool2d(relu(x), 5); }}};
  for (const auto& [name, f] : functions) {
    for (const MemoryFormat format : {contiguous_format, channels_last}) {
      const Tensor x = image({2, 8, 5, 5}).to(format).requires_grad_();
      const Tensor y = f(x).reshape({2, -1});
      const Tensor g = grad({(y * image(y.shape())).sum()}, {x})[0];
      const Strides expected =
          format == channels_last ? Strides{200, 1, 40, 8} : Strides{200, 25, 5, 1};
      EXPECT_EQ(g.strides(), expected) << name;
    }
  }
}

TEST(MemoryFormat, OfAModuleIsThatOfItsImages) {
  nn::Sequential model{nn::Conv2d(3, 8, 3), nn::BatchNorm2d(8), nn::Flatten(), nn::Linear(32, 2)};
  const Tensor x = image({2, 3, 4, 4}), before = model(x);
  const auto saved = model.state_dict();
  const Tensor weight = model.parameters()[0];
  model(x).sum().backward();
  model.to(channels_last);
  EXPECT_TRUE(is_last(weight) && is_last(weight.grad()));  // all handles follow
  EXPECT_EQ(model.parameters().back().dim(), 1);
  model.eval();
  const Tensor last = model(x.to(channels_last));
  model.load_state_dict(saved);
  EXPECT_TRUE(is_last(weight));
  model.to(contiguous_format);
  EXPECT_FALSE(is_last(weight) || is_last(weight.grad()));
  EXPECT_EQ(weight.to_vector<float>(), saved[0].second.to_vector<float>());
  test::expect_tensor(last, model(x), 1e-4);
}

/// A graph of channels-last values as text, and as a symbolic model that lays out its input.
TEST(MemoryFormat, IsTracedAndReplayed) {
  const auto f = [](const Tensor& x) {
    return relu(max_pool2d(x.to(channels_last), 2) * 2).contiguous();
  };
  const Tensor x = image({2, 3, 4, 4}) - 40;
  Program program = compile(f, {x});
  const std::string text = to_string(program.graph());
  EXPECT_NE(text.find("to_memory_format"), text.npos) << text;
  EXPECT_EQ(parse(text), program.graph()) << text;
  EXPECT_EQ(program(x).to_vector<float>(), f(x).to_vector<float>());
  const Tensor in = Input({3, 4, 4});
  const Tensor last = in.to(channels_last);
  SymbolicModel model(in, relu(last));
  EXPECT_TRUE(last.is_contiguous(channels_last) && is_last(model(x)));
  EXPECT_EQ(model(x).to_vector<float>(), relu(x).to_vector<float>());
}

}  // namespace
}  // namespace reprise
