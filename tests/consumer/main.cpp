// Exits with 0 if the gradient of sum((2 w)^2) at w = 3 is 24, a symbolic model replays, and a
// compiled training step, optimised by the passes, makes the loss smaller. What draws pulls
// Graphviz in.
#include <reprise/reprise.h>

#include <iostream>

reprise::Tensor twice(const reprise::Tensor& x);

int main() {
  using namespace reprise;
  auto w = full({1}, 3.0, {.requires_grad = true});
  auto y = twice(w);
  (y * y).sum().backward();

  auto inputs = Input({1, 8, 8});
  auto x = nn::Conv2d(1, 4, 3)(inputs)(nn::ReLU())(nn::Flatten());
  auto model = SymbolicModel(inputs, nn::Linear(x.features(), 10)(x));
  const auto scores = model(zeros({2, 1, 8, 8}));

  optim::SGD optimizer(model.parameters(), {.lr = 0.1});
  const auto images = ones({2, 1, 8, 8}), labels = zeros({2}, {.dtype = int64});
  auto step = compile_training_step(model, nn::CrossEntropyLoss(), optimizer, {images, labels});
  const auto loss = step(images, labels).item<float>();

  const bool good = w.grad().item<float>() == 24.0f && scores.shape() == Shape({2, 10}) &&
                    step(images, labels).item<float>() < loss && !draw_graph(model).empty() &&
                    !all_passes().empty();
  std::cout << (good ? "consumer: good" : "consumer: wrong") << '\n';
  return good ? 0 : 1;
}
