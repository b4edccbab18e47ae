// The toy ResNet trained for a few steps, in a program that is linked statically: its size says
// what a program of a user carries along. Exits with 1 unless the loss falls.

#include <iostream>

#include "../toy_resnet.h"

int main() {
  using namespace reprise;
  manual_seed(1);
  reprise_bench::ToyResNetTraining training(8);
  training.optimizer.set_lr(0.05);
  const auto first = training.step().item<float>();
  for (int i = 0; i < 10; ++i) training.step();
  const auto last = training.step().item<float>();
  std::cout << "loss " << first << " -> " << last << '\n';
  return last < first ? 0 : 1;
}
