// Autocast: which function runs in which dtype, guards, cached weights, traces and models.

#include "../../core/autocast.h"

#include <functional>
#include <thread>

#include "../../autograd/engine.h"
#include "../../autograd/record.h"
#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../graph/training_step.h"
#include "../../layers/nn.h"
#include "../../optim/sgd.h"
#include "expect.h"
#include "on_device.h"

namespace reprise {
namespace {

using test::expect_error;
using test::expect_tensor;

/// What a function of floating-point tensors runs in: 16 bits, float32, float32 on CUDA alone, or
/// what it is given.
enum class Policy { lower, wide, wide_on_cuda, as_is };

struct Row {
  const char* function;
  std::function<Tensor(const Tensor&)> f;  // of a 2x2 tensor
  Policy policy;
};

Tensor labels_like(const Tensor& x) { return tensor({0, 1}).to(x.device()); }
Tensor image_of(const Tensor& x) { return x.reshape({1, 1, 2, 2}); }

/// Source: PyTorch, "Automatic Mixed Precision package", the op references for CUDA and the CPU:
/// all functions of core/ops.h that compute.
const std::vector<Row>& table() {
  using T = const Tensor&;
  using enum Policy;
  static const std::vector<Row> rows{
      {"matmul", [](T x) { return matmul(x, x.to(float32)); }, lower},
      {"matmul, vectors", [](T x) { return matmul(x[0], x[1]); }, lower},
      {"linear", [](T x) { return linear(x, x.to(float32), x[0].to(float32)); }, lower},
      {"conv2d",
       [](T x) {
         return conv2d(image_of(x), ones({1, 1, 1, 1}, {.device = x.device()}));
       },
       lower},
      {"cross_entropy", [](T x) { return cross_entropy(x, labels_like(x)); }, wide},
      {"mse_loss", [](T x) { return mse_loss(x, x * 2); }, wide},
      {"exp", [](T x) { return exp(x); }, wide_on_cuda},
      {"log", [](T x) { return log(x); }, wide_on_cuda},
      {"pow", [](T x) { return pow(x, x); }, wide_on_cuda},
      {"pow by a number", [](T x) { return pow(x, 2); }, wide_on_cuda},
      {"power of a number", [](T x) { return pow(2, x); }, wide_on_cuda},
      {"reciprocal", [](T x) { return 1 / x; }, wide_on_cuda},
      {"sum", [](T x) { return sum(x); }, wide_on_cuda},
      {"sum of rows", [](T x) { return sum(x, {1}, true); }, wide_on_cuda},
      {"softmax", [](T x) { return softmax(x, 1); }, wide_on_cuda},
      {"log_softmax", [](T x) { return log_softmax(x, 1); }, wide_on_cuda},
      {"neg", [](T x) { return -x; }, as_is},
      {"abs", [](T x) { return abs(x); }, as_is},
      {"sign", [](T x) { return sign(x); }, as_is},
      {"relu", [](T x) { return relu(x); }, as_is},
      {"sqrt", [](T x) { return sqrt(x); }, as_is},
      {"tanh", [](T x) { return tanh(x); }, as_is},
      {"sigmoid", [](T x) { return sigmoid(x); }, as_is},
      {"clamp", [](T x) { return clamp(x, 0.5, 2); }, as_is},
      {"add", [](T x) { return x + x; }, as_is},
      {"sub", [](T x) { return x - x; }, as_is},
      {"mul by a number", [](T x) { return x * 2.5; }, as_is},
      {"div", [](T x) { return x / x; }, as_is},
      {"div by a number", [](T x) { return x / 3; }, as_is},
      {"remainder", [](T x) { return x % 3; }, as_is},
      {"maximum", [](T x) { return maximum(x, x * 2); }, as_is},
      {"minimum", [](T x) { return minimum(x, 2); }, as_is},
      {"where", [](T x) { return where(x > 2, x, 0); }, as_is},
      {"mean", [](T x) { return mean(x); }, as_is},
      {"max", [](T x) { return max(x); }, as_is},
      {"min along rows", [](T x) { return min(x, 1).values; }, as_is},
      {"reshape", [](T x) { return x.reshape({4}); }, as_is},
      {"transpose", [](T x) { return transpose(x, 0, 1).contiguous(); }, as_is},
      {"clone", [](T x) { return x.clone(); }, as_is},
      {"dropout", [](T x) { return dropout(x, 0.5); }, as_is},
      {"cat",
       [](T x) {
         return cat(Tensors{x, x});
       },
       as_is},
      {"stack",
       [](T x) {
         return stack(Tensors{x, x});
       },
       as_is},
      {"gather",
       [](T x) {
         return gather(x, 1, labels_like(x).reshape({2, 1}));
       },
       as_is},
      {"index_select", [](T x) { return index_select(x, 0, labels_like(x)); }, as_is},
      {"max_pool2d", [](T x) { return max_pool2d(image_of(x), {2}); }, as_is},
      {"avg_pool2d", [](T x) { return avg_pool2d(image_of(x), {2}); }, as_is},
      {"batch_norm",
       [](T x) {
         const Tensor zero = zeros({2}, {.device = x.device()}), one = zero + 1;
         return batch_norm(x, zero, one, one, zero, {.training = true});
       },
       as_is},
  };
  return rows;
}

DType expected_dtype(Policy policy, Device device, DType in, DType low) {
  if (in == float64 || policy == Policy::as_is) return in;
  if (policy == Policy::lower) return low;
  return policy == Policy::wide || device.kind == Device::Kind::cuda ? float32 : in;
}

class AutocastOn : public test::OnEachDevice {};
REPRISE_ON_EACH_DEVICE(AutocastOn);

TEST_P(AutocastOn, CastsByTheListsOfPyTorch) {
  const Tensor values = tensor({{1.0, 2.0}, {3.0, 4.0}}).to(device());
  for (const DType low : {float16, bfloat16}) {
    for (const Row& row : table()) {
      for (const DType in : {float32, float16, bfloat16, float64}) {
        if (row.policy == Policy::lower && in == float64) continue;  // beside float32 weights
        const std::string_view name = row.function;
        if (name == "batch_norm" && in == float64) continue;
        const auto mixed = autocast(device().kind, low);
        EXPECT_EQ(row.f(values.to(in)).dtype(), expected_dtype(row.policy, device(), in, low))
            << name << " of " << to_string(in);
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

TEST(Autocast, GuardsBelongToTheirThread) {
  const Tensor x = ones({2, 2});
  const auto mixed = autocast(Device::Kind::cpu);
  std::vector<DType> found;
  std::thread other([&] {
    found.push_back(matmul(x, x).dtype());
    const auto half = autocast(Device::Kind::cpu, float16);
    found.push_back(matmul(x, x).dtype());
  });
  other.join();
  EXPECT_EQ(found, (std::vector<DType>{float32, float16}));
  EXPECT_EQ(matmul(x, x).dtype(), bfloat16);
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
  softmax(y, 1).select(1, 0).sum().backward();
  EXPECT_EQ(hidden.dtype(), bfloat16);
  EXPECT_EQ(w.grad().dtype(), float32);
  EXPECT_EQ(x.grad().dtype(), float32);
}

/// Whatever guards are made in it.
TEST(Autocast, StaysOffDuringBackward) {
  Tensor x = rand({2, 2}).requires_grad_();
  const auto mixed = autocast(Device::Kind::cpu);
  const detail::AutocastState around = detail::autocast_state();
  std::vector<DType> found;
  const auto multiply = [&](const Tensor& g) { found.push_back(matmul(g, g).dtype()); };
  x.register_hook([&](const Tensor& g) {
    EXPECT_EQ(detail::autocast_state(), detail::AutocastState{});
    {
      const auto other = autocast(Device::Kind::cuda, float16, false);
      multiply(g);
      const auto own = autocast(Device::Kind::cpu, float16);
      multiply(g);
    }
    multiply(g);
    return Tensor();
  });
  x.sum().backward();
  EXPECT_EQ(found, (std::vector<DType>{float32, float16, float32}));
  EXPECT_EQ(detail::autocast_state(), around);
  EXPECT_EQ(matmul(x, x).dtype(), bfloat16);
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

/// Where the weight that linear was given lies, as the tape knows.
const void* weight_of(const Tensor& y) {
  return static_cast<const Node*>(record_of(y.impl()))->in[1].storage.get();
}

TEST(Autocast, CastsWeightsOnceInTheOutermostRegion) {
  const Tensor x = ones({2, 2}).requires_grad_(), w = ones({2, 2}).requires_grad_();
  const Tensor other = ones({2, 2}).requires_grad_();
  Tensor first;
  {
    const auto mixed = autocast(Device::Kind::cpu);
    first = linear(x, w);
    const Tensor between = linear(x, other);
    EXPECT_EQ(weight_of(linear(x, w)), weight_of(first));
    EXPECT_NE(weight_of(between), weight_of(first));
    {
      const auto off = autocast(Device::Kind::cpu, bfloat16, false);
      EXPECT_EQ(linear(x, w).dtype(), float32);
    }
    {
      const auto again = autocast(Device::Kind::cpu);
      EXPECT_EQ(weight_of(linear(x, w)), weight_of(first));
    }
    between.sum().backward();
    EXPECT_EQ(weight_of(linear(x, w)), weight_of(first));
    const AutocastGuard uncached(Device::Kind::cpu, bfloat16, true, false);
    EXPECT_NE(weight_of(linear(x, w)), weight_of(first));
  }
  const auto next = autocast(Device::Kind::cpu);
  EXPECT_NE(weight_of(linear(x, w)), weight_of(first)) << "the cache outlives its region";
}

TEST(Autocast, KeepsManyWeightsApart) {
  const Tensor x = ones({1, 1}).requires_grad_();
  std::vector<Tensor> weights;
  for (int i = 0; i < 500; ++i) weights.push_back(full({1, 1}, i / 2.0).requires_grad_());
  const auto mixed = autocast(Device::Kind::cpu);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 500; ++i) {
      const Tensor y = linear(x, weights[static_cast<size_t>(i)]);
      EXPECT_EQ(y.item<float>(), full({}, i / 2.0).bfloat16().item<float>());
    }
  }
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
