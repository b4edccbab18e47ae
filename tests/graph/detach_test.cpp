// detach_from_graph and clone: models of their own, which outlive the graph.

#include <chrono>
#include <optional>

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../../optim/sgd.h"
#include "../layers/helpers.h"
#include "example_models.h"

namespace reprise {
namespace {

using test::expect_equal;

std::vector<double> values_of(const nn::Module& model) {
  std::vector<double> out;
  for (const auto& [name, t] : model.state_dict()) {
    const auto values = t.to_vector<double>();
    out.insert(out.end(), values.begin(), values.end());
  }
  return out;
}

void train_step(SymbolicModel& model, const Tensor& x) {
  manual_seed(5);
  const Tensor y = model(x);
  optim::SGD optimizer(model.parameters(), {.lr = 0.1});
  mean(y * y).backward();
  optimizer.step();
}

/// Neither changes the other, and both do the same with the same.
void expect_independent(SymbolicModel& model, SymbolicModel& twin, const Tensor& x) {
  EXPECT_EQ(twin.summary(), model.summary());
  EXPECT_EQ(to_string(twin), to_string(model));
  for (SymbolicModel* trained : {&model, &twin}) {
    const SymbolicModel& other = trained == &model ? twin : model;
    const std::vector<double> before = values_of(other), own_before = values_of(*trained);
    train_step(*trained, x);
    EXPECT_EQ(values_of(other), before);
    EXPECT_NE(values_of(*trained), own_before);
    trained->zero_grad();
    for (const Tensor& p : other.parameters()) EXPECT_FALSE(p.grad().defined());
  }
  EXPECT_EQ(values_of(twin), values_of(model));
  manual_seed(6);
  const Tensor y = model(x);
  manual_seed(6);
  expect_equal(twin(x), y);
}

/// Convolution, batch norm, a layer used twice, a function and a constant.
SymbolicModel small_model(const Tensor& input) {
  const nn::Conv2d twice(2, 2, 3, {.padding = 1});
  Tensor x = nn::BatchNorm2d(2)(twice(input));
  x = relu(twice(x) + tensor({{{1.}}, {{-1.}}}).to(float32));
  return SymbolicModel(input, nn::Linear(8, 3)(nn::Dropout()(x.flatten(1))));
}

TEST(Detach, TheModelOutlivesTheGraph) {
  const Tensor x = randn({4, 2, 2, 2});
  const Tensor input = Input({2, 2, 2});
  std::optional<SymbolicModel> model = small_model(input);
  SymbolicModel twin = model->detach_from_graph();
  EXPECT_EQ(twin.num_parameters(), 38 + 4 + 27);  // by hand; the convolution counts once
  expect_independent(*model, twin, x);
  twin.eval();
  EXPECT_TRUE(model->is_training());
  model->eval();
  const Tensor expected = (*model)(x);
  model.reset();
  EXPECT_TRUE(children(input).empty());  // the twin holds no nodes
  expect_equal(twin(x), expected);
  expect_equal(twin.clone()(x), expected);
  expect_equal(SymbolicModel(input, twin(input))(x), expected);  // and may enter a graph again
}

TEST(Detach, ExampleModelsAreIndependent) {
  manual_seed(1);
  for (SymbolicModel model : {test::toy_resnet(), test::net()}) {
    SymbolicModel twin = model.detach_from_graph();
    Shape shape = model.input_shape();
    shape[0] = 2;
    expect_independent(model, twin, randn(shape));
  }
}

TEST(Detach, NestedModelsAndModelsInLayersAreTheirOwn) {
  struct Net : nn::Layer<Net> {
    explicit Net(const SymbolicModel& model) : inner(register_module("inner", model)) {}
    Tensor forward(const Tensor& x) { return inner(x) + 1; }
    SymbolicModel inner;
  };
  const Tensor a = Input({2, 2, 2}), b = Input({2, 2, 2});
  const SymbolicModel extractor = small_model(a);
  const Net net(extractor);
  const SymbolicModel both({a, b}, abs(extractor(a) - extractor(b)) + net(a));
  const SymbolicModel twin = both.detach_from_graph();
  EXPECT_EQ(twin.num_parameters(), both.num_parameters());
  EXPECT_EQ(twin.num_parameters(), 38 + 4 + 27);
  EXPECT_EQ(twin.summary(), both.summary());
  const Net twin_net = net.clone();
  std::vector<Ref<TensorImpl>> seen;
  for (const nn::Module* m : std::initializer_list<const nn::Module*>{&both, &twin, &twin_net}) {
    for (const Tensor& p : m->parameters()) {
      EXPECT_EQ(std::ranges::count(seen, p.ref()), 0);
      seen.push_back(p.ref());
    }
  }
  EXPECT_TRUE(twin_net.inner.shares_state_with(*twin_net.children()[0].second));
  SymbolicModel inner = twin_net.inner;  // handles of one clone stay handles on one model
  inner.compile();
  EXPECT_TRUE(twin_net.inner.is_compiled());
  EXPECT_FALSE(extractor.is_compiled());
  NoGradGuard no_grad;
  for (const Tensor& p : both.parameters()) p.detach().fill_(0);
  EXPECT_GT(twin(ones({1, 2, 2, 2}), zeros({1, 2, 2, 2})).abs().sum().item<float>(), 0);
}

TEST(Detach, FunctionsAndConstantsBelongToTheClone) {
  const nn::Linear fc(2, 2);
  const Tensor scale = full({2}, 3., {.requires_grad = true});
  const Tensor input = Input({2});
  const auto captures = [fc](const Tensor& x) { return fc(x) * 2; };
  const Tensor x = composite("captures", captures, fc(input) * scale);
  const SymbolicModel model(input, linear(x, fc.weight()) + scale);
  const SymbolicModel twin = model.detach_from_graph();
  const Tensor data = randn({3, 2}), before = model(data).detach();
  expect_equal(twin(data), before);

  twin(data).sum().backward();  // one weight, three times: the layer, its capture, a constant
  model(data).sum().backward();
  expect_equal(twin.parameters()[0].grad(), fc.weight().grad());
  const Tensor gradient = scale.grad();
  twin(data).sum().backward();
  expect_equal(scale.grad(), gradient);

  NoGradGuard no_grad;
  Tensor(scale).fill_(0);
  Tensor(fc.weight()).fill_(0);
  expect_equal(twin(data), before);
}

TEST(Detach, CodeInTheGraphBelongsToTheClone) {
  const nn::Linear fc(2, 2);
  const Tensor scale = full({2}, 3., {.requires_grad = true});
  const Tensor input = Input({2});
  const auto factor = CustomInput(2.0);
  const auto code = [fc](const std::vector<Tensor>& x, double factor, const nn::Linear& other) {
    return std::pair(fc(x[0]) * x[1] * factor, other(x[0]).sum().item<double>());
  };
  std::optional<decltype(add_to_graph(code, std::vector{input, scale}, factor, fc))> out =
      add_to_graph(code, std::vector{input, scale}, factor, fc);
  std::optional<SymbolicModel> model(std::in_place, SymbolicTensors{input, factor.node()},
                                     SymbolicTensors{out->first, out->second.node()});
  const SymbolicModel twin = model->detach_from_graph();
  EXPECT_THROW(SymbolicModel(twin).add_output(input), Error);
  const Tensor data = randn({3, 2});
  const auto [y, sum] = model->call<std::tuple<Tensor, double>>(data, 2.0);
  out.reset();
  model.reset();
  EXPECT_TRUE(children(input).empty());
  const auto same = [&, &y = y, &sum = sum](const SymbolicModel& clone) {
    const auto [z, other] = clone.call<std::tuple<Tensor, double>>(data, 2.0);
    expect_equal(z, y);
    EXPECT_EQ(other, sum);
  };
  same(twin);
  {
    NoGradGuard no_grad;
    Tensor(scale).fill_(0);
    Tensor(fc.weight()).fill_(0);
  }
  same(twin);
  same(twin.clone());

  struct MoveOnly {
    std::unique_ptr<int> factor = std::make_unique<int>(3);
    Tensor operator()(const Tensor& x) const { return x * *factor; }
  };
  const SymbolicModel moved(input, add_to_graph(MoveOnly(), input));
  expect_equal(moved(data), data * 3);
  EXPECT_EQ(test::error_of([&] { moved.clone(); }),
            "MoveOnly: cannot be cloned, since the function cannot be copied");
}

TEST(Detach, ACloneIsNotCompiled) {
  const Tensor input = Input({2, 2, 2});
  SymbolicModel model = small_model(input);
  model.eval();
  model.compile({.batch_sizes = {4}});
  SymbolicModel twin = model.detach_from_graph();
  EXPECT_TRUE(model.is_compiled());
  EXPECT_FALSE(twin.is_compiled());
  twin.compile();
  const Tensor x = randn({4, 2, 2, 2});
  expect_equal(twin(x), model(x));
  twin.train();
  model.train();
  model.decompile();
  twin.decompile();
  expect_independent(model, twin, x);
}

TEST(Detach, DeepChainsAreBuiltSummarisedReplayedAndDetachedInASecond) {
  const auto start = std::chrono::steady_clock::now();
  const Tensor input = Input({4});
  Tensor x = input;
  for (int i = 0; i < 2500; ++i) x = nn::Linear(4, 4)(x);
  const SymbolicModel model(input, x);
  const std::string table = model.summary();
  const Tensor data = ones({1, 4}), expected = model(data);
  const SymbolicModel twin = model.detach_from_graph();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took.count(), 1);
  RecordProperty("milliseconds", static_cast<int>(took.count() * 1e3));
  EXPECT_NE(table.find("Linear_2500"), std::string::npos);
  EXPECT_EQ(twin.num_parameters(), 2500 * 20);
  expect_equal(twin(data), expected);
}

}  // namespace
}  // namespace reprise
