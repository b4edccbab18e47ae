// Two hand-written models against PyTorch: logits, loss, all gradients and the losses of 20 steps
// on one batch (shared/goldens/make_goldens.py has the same models).

#include <cmath>
#include <cstdlib>

#include "../../io/safetensors.h"
#include "../../layers/nn.h"
#include "../../optim/sgd.h"
#include "../core/on_device.h"
#include "helpers.h"

namespace reprise {
namespace {

namespace F = nn::functional;

struct ToyResNet : nn::Layer<ToyResNet> {
  nn::Conv2d c1{3, 32, 3}, c2{32, 64, 3}, c3{64, 64, 3, {.padding = 1}},
      c4{64, 64, 3, {.padding = 1}}, c5{64, 64, 3, {.padding = 1}}, c6{64, 64, 3, {.padding = 1}},
      c7{64, 64, 3};
  nn::Linear l1{64, 256}, l2{256, 10};

  ToyResNet() {
    int i = 0;
    for (const nn::Conv2d& conv : {c1, c2, c3, c4, c5, c6, c7}) {
      register_module(text("c", ++i), conv);
    }
    register_module("l1", l1);
    register_module("l2", l2);
  }
  Tensor forward(const Tensor& image) {
    const Tensor b1 = F::max_pool2d(F::relu(c2(F::relu(c1(image)))), 3);
    const Tensor b2 = F::relu(c4(F::relu(c3(b1)))) + b1;
    const Tensor b3 = F::relu(c6(F::relu(c5(b2)))) + b2;
    const Tensor x = F::relu(c7(b3));
    return l2(F::relu(l1(F::avg_pool2d(x, x.HW()).flatten(1))));
  }
};

struct Net : nn::Layer<Net> {
  nn::Conv2d conv1{1, 32, 5}, conv2{32, 64, 5};
  nn::Linear fc1{256, 200}, fc2{200, 10};

  Net() {
    register_module("conv1", conv1);
    register_module("conv2", conv2);
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  Tensor forward(const Tensor& image) {
    Tensor x = F::relu(F::max_pool2d(conv1(image), 3));
    x = F::relu(F::max_pool2d(conv2(x), 2));
    return fc2(F::relu(fc1(x.view({-1, 256}))));
  }
};

/// Relative to the largest value of `expected`.
void expect_close(const Tensor& got, const Tensor& expected, double tolerance,
                  const std::string& name) {
  ASSERT_EQ(to_string(got.shape()), to_string(expected.shape())) << name;
  const auto x = got.to_vector<double>(), y = expected.to_vector<double>();
  double largest = 0, error = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(y[i]));
    error = std::max(error, std::isnan(x[i]) ? INFINITY : std::abs(x[i] - y[i]));
  }
  EXPECT_LE(error, tolerance * largest) << name;
}

template <class Model>
void check_model(const std::string& name, Device device) {
  const char* shared = std::getenv("REPRISE_SHARED");
  if (shared == nullptr) GTEST_SKIP() << "REPRISE_SHARED is not set";
  const auto goldens =
      load_safetensors(std::string(shared) + "/goldens/model_" + name + "_f32.safetensors");
  Model model;
  nn::NamedTensors weights;
  for (const auto& [key, value] : goldens.tensors) {
    if (key.starts_with("weight/")) weights.emplace_back(key.substr(7), value);
  }
  model.load_state_dict(weights);
  model.to(device);

  const Tensor x = goldens.at("x").to(device), y = goldens.at("y").to(device);
  const Tensor logits = model(x), loss = F::cross_entropy(logits, y);
  loss.backward();
  expect_close(logits, goldens.at("logits"), 1e-4, "logits");
  expect_close(loss, goldens.at("loss"), 1e-4, "loss");
  for (const auto& [key, parameter] : model.named_parameters()) {
    expect_close(parameter.grad(), goldens.at("grad/" + key), 1e-4, key);
  }

  if (test::is_emulated(device)) return;  // whose convolutions take their time
  const auto expected = goldens.at("losses").to_vector<double>();
  optim::SGD optimizer(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  for (size_t step = 0; step < expected.size(); ++step) {
    optimizer.zero_grad();
    const Tensor now = F::cross_entropy(model(x), y);
    now.backward();
    optimizer.step();
    EXPECT_NEAR(now.item<double>(), expected[step], 1e-3) << "step " << step;
  }
}

class ModelGoldens : public test::OnEachDevice {};
REPRISE_ON_EACH_DEVICE(ModelGoldens);

TEST_P(ModelGoldens, ToyResNet) { check_model<ToyResNet>("toy_resnet", device()); }
TEST_P(ModelGoldens, Net) { check_model<Net>("net", device()); }

TEST(ToyResNet, HasItsKnownNumberOfParameters) { EXPECT_EQ(ToyResNet().num_parameters(), 223242); }

}  // namespace
}  // namespace reprise
