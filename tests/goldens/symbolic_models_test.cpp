// The two golden models, built symbolically: logits, loss, gradients and the losses of 20 steps.

#include "../../autograd/tape.h"
#include "../../layers/functional.h"
#include "../../optim/sgd.h"
#include "../core/on_device.h"
#include "../graph/example_models.h"
#include "golden_file.h"

namespace reprise {
namespace {

namespace F = nn::functional;

/// The tensors whose names start so, in the order of the file.
Tensors starting_with(const std::string& prefix, const SafeTensors& file) {
  Tensors out;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) out.push_back(tensor);
  }
  return out;
}

/// float32: within 1e-4 of the largest value of `expected`.
void expect_close(const Tensor& got, const Tensor& expected, const std::string& what) {
  const double largest = max(abs(expected)).item<double>();
  test::expect_close(got.cpu(), expected, 1e-4, largest, what);
}

void check_model(SymbolicModel model, const std::string& name, Device device) {
  const std::string path = test::golden_path("model_" + name + "_f32");
  if (path.empty()) GTEST_SKIP() << "REPRISE_SHARED is not set";
  const SafeTensors file = load_safetensors(path);
  const std::vector<Tensor> parameters = model.parameters();
  const Tensors weights = starting_with("weight/", file), gradients = starting_with("grad/", file);
  ASSERT_EQ(parameters.size(), weights.size());
  {
    const NoGradGuard guard;
    for (size_t i = 0; i < weights.size(); ++i) Tensor(parameters[i]).copy_(weights[i]);
  }
  model.eval();
  model.to(device);

  const Tensor x = file.at("x").to(device), y = file.at("y").to(device);
  const Tensor logits = model(x), loss = F::cross_entropy(logits, y);
  loss.backward();
  expect_close(logits, file.at("logits"), "logits");
  expect_close(loss, file.at("loss"), "loss");
  for (size_t i = 0; i < gradients.size(); ++i) {
    expect_close(parameters[i].grad(), gradients[i], text("gradient ", i));
  }

  if (test::is_emulated(device)) return;  // whose convolutions take their time
  const auto expected = file.at("losses").to_vector<double>();
  optim::SGD optimizer(parameters, {.lr = 0.05, .momentum = 0.9});
  for (size_t step = 0; step < expected.size(); ++step) {
    optimizer.zero_grad();
    const Tensor now = F::cross_entropy(model(x), y);
    now.backward();
    optimizer.step();
    EXPECT_NEAR(now.item<double>(), expected[step], 1e-3 * expected[step]) << "step " << step;
  }
}

class SymbolicModelGoldens : public test::OnEachDevice {};
REPRISE_ON_EACH_DEVICE(SymbolicModelGoldens);

TEST_P(SymbolicModelGoldens, ToyResNet) { check_model(test::toy_resnet(), "toy_resnet", device()); }
TEST_P(SymbolicModelGoldens, ToyResNetInTheOtherNotation) {
  check_model(test::toy_resnet_called(), "toy_resnet", device());
}
TEST_P(SymbolicModelGoldens, Net) { check_model(test::net(), "net", device()); }

}  // namespace
}  // namespace reprise
