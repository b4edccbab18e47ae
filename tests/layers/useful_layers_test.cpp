// Layers that join, cut, reshape and wrap functions: real, symbolic, printed, wrongly used.

#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../layers/nn.h"
#include "../core/expect.h"
#include "helpers.h"

namespace reprise {
namespace {

using test::error_of, test::expect_equal, test::expect_error;

Tensor counted(const Shape& shape) {
  return arange(static_cast<double>(shape.numel())).reshape(shape);
}

// ---- Lambda -----------------------------------------------------------------------------------

TEST(Lambda, TakesOneToSixTensorsOrAList) {
  const Tensor x = counted({2, 3}), s = Input({3});
  const nn::Lambda one("One", [](const Tensor& a) { return a * 2; });
  const nn::Lambda six(
      "Six", [](auto a, auto b, auto c, auto d, auto e, auto f) { return a + b + c + d + e + f; });
  const nn::Lambda list("List", [](const Tensors& in) { return cat(in, 1); });
  const nn::Lambda any("Any", [](const auto&... in) { return (in + ...); });
  expect_equal(one(x), x * 2);
  expect_equal(six(x, x, x, x, x, x), x * 6);
  expect_equal(list(x, x, x), cat({x, x, x}, 1));
  expect_equal(any(x, x, x), x * 3);
  const SymbolicModel model(s, {one(s), six(s, s, s, s, s, s), list(s, s), any(s, s)});
  const Tensors out = model.outputs(x);
  expect_equal(out[0], x * 2);
  expect_equal(out[1], x * 6);
  expect_equal(out[2], cat({x, x}, 1));
  expect_equal(out[3], x * 2);
}

TEST(Lambda, ReturnsWhatItsFunctionReturns) {
  const Tensor x = counted({2, 3}), s = Input({3});
  const nn::Lambda pair("Pair", [](const Tensor& a) { return std::pair(a, a + 1); });
  const auto [first, second] = pair(s);
  const auto [values, indices] = nn::Lambda("Max", [](const Tensor& a) { return max(a, 1); })(x);
  expect_equal(SymbolicModel(s, second - first)(x), ones({2, 3}));
  expect_equal(indices, tensor({2, 2}));
  const Tensors list = nn::Lambda("Rows", [](const Tensor& a) { return unbind(a, 1); })(s);
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(to_string(list[0].shape()), "[None]");
}

TEST(Lambda, IsALayerOfItsName) {
  const nn::Lambda twice("Twice", [](const Tensor& x) { return x * 2; });
  const Tensor s = Input({3}), y = twice(s);
  EXPECT_EQ(to_string(twice), "Twice()");
  EXPECT_EQ(layer(y)->name(), "Twice");
  EXPECT_EQ(depth(y), 1);
  nn::Sequential net(nn::Linear(3, 3), twice, nn::ReLU());
  const Tensor x = randn({4, 3});
  expect_equal(net(x), relu(net[0](x) * 2));
  SymbolicModel model(s, net(twice(s)));
  const Tensor expected = model(x);
  model.compile();  // traced as any layer
  expect_equal(model(x), expected);
  EXPECT_NE(model.summary().find("Twice_1"), std::string::npos) << model.summary();
}

TEST(Lambda, Refuses) {
  const auto f = [](const Tensor& x, const Tensor& y) { return matmul(x, y); };
  EXPECT_EQ(error_of([&] { nn::Lambda("", f); }), "Lambda: expected a name, got an empty one");
  const nn::Lambda product("Product", f);
  expect_error(
      [&] {
        product(ones({2, 3}), ones({2, 3}));
      },
      ErrorKind::Shape, {"Product: matmul", "[2, 3]"});
  nn::Sequential net(product);
  expect_error([&] { net(ones({2})); }, ErrorKind::Value,
               {"0: Product: forward does not take 1 inputs"});
}

// ---- several inputs ---------------------------------------------------------------------------

TEST(Aggregate, FoldsAnyNumberFromTheLeft) {
  const nn::Aggregate difference([](const Tensor& a, const Tensor& b) { return a - b; });
  const Tensor x = counted({2, 3}), s = Input({3});
  expect_equal(difference(x), x);
  expect_equal(difference(x, x, x), -x);
  expect_equal(SymbolicModel(s, difference(s, s, s, s, s, s, s, s))(x), x * -6);
  EXPECT_EQ(to_string(difference), "Aggregate()");
  EXPECT_EQ(error_of([] { nn::Aggregate(nullptr); }), "Aggregate: expected a function, got none");
}

TEST(Operators, JoinSeveralInputs) {
  const Tensor a = counted({2, 2}) + 1, b = a + 1, row = tensor({2., 4.});
  const Tensor s = Input({2}), t = Input({2});
  const SymbolicModel model({s, t}, {nn::Add()(s, t, row), nn::Sub()(s, t, row),
                                     nn::Mul()(s, t, row), nn::Matmul()(s, b, b)});
  const Tensors out = model.outputs(a, b);
  expect_equal(out[0], a + b + row);
  expect_equal(out[1], a - b - row);
  expect_equal(out[2], a * b * row);
  expect_equal(out[3], matmul(matmul(a, b), b));
  expect_equal(nn::Add()(a), a);
  EXPECT_EQ(layer(nn::Mul()(s, t))->name(), "Mul");
  EXPECT_EQ(to_string(nn::Matmul()), "Matmul()");
  expect_error([&] { nn::Add()(a, ones({3})); }, ErrorKind::Shape, {"Add: add", "[2, 2]", "[3]"});
  expect_error([] { nn::Add().call({}); }, ErrorKind::Value, {"expected at least 1 input"});
  expect_error([&] { nn::Matmul()(s, ones({5, 2})); }, ErrorKind::Shape, {"Matmul: matmul", "5"});
}

TEST(ConcatAndStack, JoinAlongADimension) {
  const Tensor a = counted({2, 3}), b = a + 10, s = Input({3}), t = Input({3});
  const SymbolicModel model({s, t},
                            {nn::Concat(1)(s, t, s), nn::Stack(1)(s, t), nn::Concat(-1)(s)});
  EXPECT_EQ(to_string(model.output_shapes()[0]), "[None, 9]");
  EXPECT_EQ(to_string(model.output_shapes()[1]), "[None, 2, 3]");
  const Tensors out = model.outputs(a, b);
  expect_equal(out[0], cat({a, b, a}, 1));
  expect_equal(out[1], stack({a, b}, 1));
  expect_equal(out[2], a);
  EXPECT_EQ(to_string(nn::Concat(1)), "Concat(dim=1)");
  EXPECT_EQ(to_string(nn::Stack(-1)), "Stack(dim=-1)");
  expect_error([&] { nn::Concat(1)(s, Input({3, 3})); }, ErrorKind::Shape, {"Concat: cat"});
  expect_error([&] { nn::Stack(0)(a, ones({3})); }, ErrorKind::Shape,
               {"Stack: cat", "[1, 2, 3]", "[1, 3]"});
  expect_error([&] { nn::Concat(2)(a, a); }, ErrorKind::Index, {"Concat: cat", "got 2"});
}

// ---- one input --------------------------------------------------------------------------------

TEST(Reshape, KeepsTheBatchUnlessToldNotTo) {
  const Tensor x = counted({4, 6}), s = Input({6});
  const SymbolicModel model(
      s, {nn::Reshape({2, 3})(s), nn::Reshape({-1})(s), nn::Reshape({})(s[{Ellipsis, 0}]),
          nn::Reshape({-1, 12}, {.include_batch = true})(s)});
  EXPECT_EQ(to_string(model.output_shapes()[0]), "[None, 2, 3]");
  const Tensors out = model.outputs(x);
  expect_equal(out[0], x.reshape({4, 2, 3}));
  expect_equal(out[1], x);
  expect_equal(out[2], x.select(1, 0));
  expect_equal(out[3], x.reshape({2, 12}));
  expect_equal(nn::Reshape({3, -1})(zeros({2, 0, 3})), zeros({2, 3, 0}));
  EXPECT_EQ(to_string(nn::Reshape({2, -1})), "Reshape(shape=[2, -1])");
  EXPECT_EQ(to_string(nn::Reshape({8}, {.include_batch = true})),
            "Reshape(shape=[8], include_batch=True)");
  expect_error([&] { nn::Reshape({4})(x); }, ErrorKind::Shape,
               {"Reshape: reshape", "24", "[4, 4]"});
  expect_error([&] { nn::Reshape({1})(x.sum()); }, ErrorKind::Shape, {"Reshape: ", "got a scalar"});
  expect_error([] { nn::Reshape({2, -2}); }, ErrorKind::Shape, {"Reshape: ", "got -2"});
}

TEST(SliceLayer, IndexesAsBracketsDo) {
  const Tensor x = counted({4, 6}), s = Input({6});
  const nn::SliceLayer layer({Slice(), Slice(1, 6, 2), None});
  expect_equal(SymbolicModel(s, layer(s))(x), x.slice(1, 1, 6, 2).unsqueeze(2));
  expect_equal(nn::SliceLayer({Ellipsis, tensor({2, -1})})(x), x.index_select(1, tensor({2, 5})));
  EXPECT_EQ(to_string(layer), "SliceLayer(:, 1:6:2, None)");
  expect_error([&] { nn::SliceLayer({0, 0, 0})(x); }, ErrorKind::Index, {"SliceLayer: index", "2"});
}

TEST(Unpack, GivesTheSlicesOfADimension) {
  const Tensor x = counted({4, 3}), s = Input({3});
  const auto [a, b, c] = unpack<3>(nn::Unpack(1)(s));
  expect_equal(SymbolicModel(s, a + b * c)(x), x.select(1, 0) + x.select(1, 1) * x.select(1, 2));
  EXPECT_EQ(nn::Unpack()(x).size(), 4U);
  EXPECT_EQ(to_string(nn::Unpack()), "Unpack(dim=0)");
  expect_error([&] { nn::Unpack(2)(x); }, ErrorKind::Index, {"Unpack: unbind", "got 2"});
}

TEST(UsefulLayers, AreCloned) {
  const Tensor s = Input({6}), x = randn({2, 6});
  const nn::Lambda twice("Twice", [](const Tensor& t) { return t * 2; });
  const SymbolicModel model(
      s, nn::Add()(nn::Linear(6, 6)(nn::Concat(1)(nn::SliceLayer({Slice(), Slice(3)})(s),
                                                  nn::Reshape({3})(s[{Slice(), Slice(0, 3)}]))),
                   twice(s)));
  expect_equal(model.clone()(x), model(x));
}

}  // namespace
}  // namespace reprise
