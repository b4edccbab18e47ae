// The toy ResNet trained for a few steps, in a program that is linked statically: its size says
// what a program of a user carries along. Exits with 1 unless the loss falls.

#include <iostream>

#include "../toy_resnet.h"

int main() {
  using namespace reprise;
  manual_seed(1);
  auto model = reprise_bench::toy_resnet();
  optim::SGD optimizer(model.parameters(), {.lr = 0.05, .momentum = 0.9});
  const reprise_bench::Batch batch(8);
  const auto first = reprise_bench::train_step(model, optimizer, batch).item<float>();
  for (int i = 0; i < 10; ++i) reprise_bench::train_step(model, optimizer, batch);
  const auto last = reprise_bench::train_step(model, optimizer, batch).item<float>();
  std::cout << "loss " << first << " -> " << last << '\n';
  return last < first ? 0 : 1;
}
