// Autocast: which function runs in which dtype, guards, cached weights, traces and models.

#include "../../core/autocast.h"

#include <functional>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../graph/training_step.h"
#include "../../layers/nn.h"
#include "../../optim/sgd.h"
#include "expect.h"

namespace reprise {
namespace {

using test::expect_error;
using test::expect_tensor;

struct Row {
  const char* function;
  std::function<Tensor(const Tensor&)> f;
  enum { lower, wide, as_is } policy;
};

const std::vector<Row>& table() {
  using T = const Tensor&;
  static const Tensor eye = tensor({{1.0, 0.0}, {0.0, 1.0}}), target = tensor({0, 1});
  static const Tensor kernel = ones({1, 1, 1, 1});
  static const std::vector<Row> rows{
      {"matmul", [](T x) { return matmul(x, eye); }, Row::lower},
      {"linear", [](T x) { return linear(x, eye); }, Row::lower},
      {"conv2d",
       [](T x) {
         return conv2d(x.reshape({1, 1, 2, 2}), kernel);
       },
       Row::lower},
      {"exp", [](T x) { return exp(x); }, Row::wide},
      {"log", [](T x) { return log(x); }, Row::wide},
      {"pow", [](T x) { return pow(x, 2); }, Row::wide},
      {"sum", [](T x) { return sum(x); }, Row::wide},
      {"softmax", [](T x) { return softmax(x, 1); }, Row::wide},
      {"log_softmax", [](T x) { return log_softmax(x, 1); }, Row::wide},
      {"cross_entropy", [](T x) { return cross_entropy(x, target); }, Row::wide},
      {"mse_loss", [](T x) { return mse_loss(x, x * 2); }, Row::wide},
      {"relu", [](T x) { return relu(x); }, Row::as_is},
      {"add", [](T x) { return x + x; }, Row::as_is},
      {"mul by a number", [](T x) { return x * 2.5; }, Row::as_is},
      {"mean", [](T x) { return mean(x); }, Row::as_is},
      {"reshape", [](T x) { return x.reshape({4}); }, Row::as_is},
      {"dropout", [](T x) { return dropout(x, 0.5); }, Row::as_is},
      {"cat",
       [](T x) {
         return cat({x, x});
       },
       Row::as_is},
      {"max_pool2d",
       [](T x) {
         return max_pool2d(x.reshape({1, 1, 2, 2}), {2});
       },
       Row::as_is},
  };
  return rows;
}

TEST(Autocast, CastsByTheListsOfPyTorch) {
  for (const DType low : {float16, bfloat16}) {
    for (const Row& row : table()) {
      for (const DType in : {float32, low, float64}) {
        const Tensor x = tensor({{1.0, 2.0}, {3.0, 4.0}}).to(in);
        const auto mixed = autocast(Device::Kind::cpu, low);
        if (row.policy == Row::lower && in == float64) continue;  // beside a float32 weight
        const DType expected = in == float64              ? float64
                               : row.policy == Row::lower ? low
                               : row.policy == Row::wide  ? float32
                                                          : in;
        EXPECT_EQ(row.f(x).dtype(), expected) << row.function << " of " << to_string(in);
      }
    }
  }
}

TEST(Autocast, OfSeveralDtypesTheWidestHolds) {
  const auto mixed = autocast(Device::Kind::cpu);
  const Tensor x = ones({2, 2}), low = x.bfloat16();
  EXPECT_EQ((x + low).dtype(), float32);
  EXPECT_EQ(cat({low, x}).dtype(), float32);
  EXPECT_EQ(where(x == x, low, x).dtype(), float32);
}

TEST(Autocast, GuardsNestAndBelongToAKindOfDevice) {
  const Tensor x = ones({2, 2});
  const auto dtype = [&] { return matmul(x, x).dtype(); };
  {
    const auto mixed = autocast(Device::Kind::cpu, bfloat16);
    EXPECT_TRUE(is_autocast_enabled(Device::Kind::cpu));
    EXPECT_FALSE(is_autocast_enabled(Device::Kind::cuda));
    EXPECT_EQ(dtype(), bfloat16);
    {
      const auto off = autocast(Device::Kind::cpu, bfloat16, false);
      EXPECT_EQ(dtype(), float32);
      const auto half = autocast(Device::Kind::cpu, float16);
      EXPECT_EQ(dtype(), float16);
    }
    EXPECT_EQ(dtype(), bfloat16);
  }
  EXPECT_EQ(dtype(), float32);
  const auto elsewhere = autocast(Device::Kind::cuda, float16);
  EXPECT_EQ(dtype(), float32);
  expect_error([] { (void)autocast(Device::Kind::cpu, float32); }, ErrorKind::DType,
               {"autocast: expected float16 or bfloat16, got float32"});
  expect_error([] { (void)autocast(Device::Kind::meta); }, ErrorKind::Device, {"meta"});
}

TEST(Autocast, CastsAreDifferentiableAndBackwardKeepsTheirDtypes) {
  Tensor w = rand({3, 3}).requires_grad_(), x = rand({2, 3}).requires_grad_();
  const auto mixed = autocast(Device::Kind::cpu);
  const Tensor y = linear(x, w);
  EXPECT_EQ(y.dtype(), bfloat16);
  Tensor hidden;
  y.register_hook([&](const Tensor& g) {
    hidden = g;
    return Tensor();
  });
  softmax(y, 1).select(1, 0).sum().backward();  // its vjp calls sum, which would widen
  EXPECT_EQ(hidden.dtype(), bfloat16);
  EXPECT_EQ(w.grad().dtype(), float32);
  EXPECT_EQ(x.grad().dtype(), float32);
}

TEST(Autocast, CastsWeightsOnceUntilTheyChange) {
  Tensor w = ones({2, 2}).requires_grad_();
  const Tensor x = ones({2, 2}).bfloat16();
  const auto mixed = autocast(Device::Kind::cpu);
  EXPECT_EQ(matmul(x, w)[0][0].item<float>(), 2);
  {
    const NoGradGuard no_grad;
    w.fill_(3);
  }
  EXPECT_EQ(matmul(x, w)[0][0].item<float>(), 6) << "a stale cast";
  const Tensor first = matmul(x, w).sum(), second = matmul(x, w).sum();
  first.backward();
  second.backward();
  expect_tensor(w.grad(), full({2, 2}, 4.0));
  matmul(x, w).sum().backward();
  expect_tensor(w.grad(), full({2, 2}, 6.0));
  {
    const NoGradGuard no_grad;
    (void)matmul(x, w);
  }
  EXPECT_TRUE(matmul(x, w).requires_grad()) << "a cast made without gradients";
}

nn::Sequential small_net() {
  manual_seed(7);
  return nn::Sequential(nn::Conv2d(1, 4, 3, {.padding = 1}), nn::BatchNorm2d(4), nn::ReLU(),
                        nn::MaxPool2d(2), nn::Flatten(), nn::Linear(64, 10));
}

struct Batch {
  Tensor x, target;
};
Batch batch() {
  manual_seed(11);
  const Tensor x = randn({16, 1, 8, 8});
  return {x, argmax(x.flatten(1).slice(1, 0, 10), 1)};
}

std::vector<double> train(std::optional<DType> low, int steps) {
  auto net = small_net();
  const auto [x, target] = batch();
  optim::SGD optimizer(net.parameters(), {.lr = 0.05, .momentum = 0.9});
  std::vector<double> losses;
  for (int i = 0; i < steps; ++i) {
    optimizer.zero_grad();
    Tensor loss;
    {
      const auto mixed = autocast(Device::Kind::cpu, low.value_or(bfloat16), low.has_value());
      const Tensor y = net(x);
      EXPECT_EQ(y.dtype(), low.value_or(float32));
      loss = cross_entropy(y, target);
    }
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<double>());
  }
  return losses;
}

TEST(Autocast, TrainsToTheLossOfFloat32) {
  const auto wide = train({}, 40);
  EXPECT_LT(wide.back(), 0.2 * wide.front());
  for (const DType low : {bfloat16, float16}) {
    const auto mixed = train(low, 40);
    EXPECT_NEAR(mixed.front(), wide.front(), 0.02);
    EXPECT_NEAR(mixed.back(), wide.back(), 0.05);
  }
}

TEST(Autocast, CompiledModelsAndStepsHaveTheBitsOfEager) {
  const auto [x, target] = batch();
  const Tensor in = Input({1, 8, 8});
  auto net = small_net();
  SymbolicModel model(in, net(in));
  model.compile();
  net.eval();
  for (const bool grad : {false, true}) {
    const GradModeGuard mode(grad);
    const Tensor plain = model(x);
    const auto mixed = autocast(Device::Kind::cpu);
    expect_tensor(model(x), net(x));
    EXPECT_EQ(model(x).dtype(), bfloat16);
    EXPECT_EQ(plain.dtype(), float32);
  }
  std::vector<std::vector<float>> results;
  for (const bool compiled : {false, true}) {
    auto trained = small_net();
    optim::SGD optimizer(trained.parameters(), {.lr = 0.05, .momentum = 0.9});
    std::optional<TrainingStep> step;
    const auto mixed = autocast(Device::Kind::cpu);
    if (compiled) {
      step.emplace(compile_training_step(trained, nn::CrossEntropyLoss(), optimizer, {x, target}));
    }
    for (int i = 0; i < 5; ++i) {
      optimizer.zero_grad();
      if (compiled) {
        (*step)(x, target);
      } else {
        cross_entropy(trained(x), target).backward();
        optimizer.step();
      }
    }
    results.emplace_back();
    for (const Tensor& p : trained.parameters()) {
      const auto values = p.to_vector<float>();
      results.back().insert(results.back().end(), values.begin(), values.end());
    }
  }
  EXPECT_EQ(results[0], results[1]);
}

}  // namespace
}  // namespace reprise
