#pragma once
// Models that several tests build.

#include "../../graph/model.h"
#include "../../layers/nn.h"

namespace reprise::test {

inline SymbolicModel toy_resnet(const InputOptions& options = {}) {
  auto inputs = Input({3, 32, 32}, options);
  auto x = nn::Conv2d(inputs.C(), 32, 3)(inputs)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3)(x)(nn::ReLU());
  auto block_1 = nn::MaxPool2d(3)(x);

  x = nn::Conv2d(block_1.C(), 64, 3, {.padding = 1})(block_1)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3, {.padding = 1})(x)(nn::ReLU());
  auto block_2 = x + block_1;

  x = nn::Conv2d(block_2.C(), 64, 3, {.padding = 1})(block_2)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3, {.padding = 1})(x)(nn::ReLU());
  auto block_3 = x + block_2;

  x = nn::Conv2d(block_3.C(), 64, 3)(block_3)(nn::ReLU());
  x = nn::AvgPool2d(x.HW())(x)(nn::Flatten());
  x = nn::Linear(x.features(), 256)(x)(nn::ReLU());
  auto outputs = nn::Linear(256, 10)(nn::Dropout(0.5)(x));
  return SymbolicModel(inputs, outputs);
}

/// The same in the other notation.
inline SymbolicModel toy_resnet_called() {
  auto inputs = Input({3, 32, 32});
  auto x = inputs(nn::Conv2d(inputs.channels(), 32, 3))(nn::ReLU());
  x = x(nn::Conv2d(x.channels(), 64, 3))(nn::ReLU());
  auto block_1 = x(nn::MaxPool2d(3));
  x = block_1(nn::Conv2d(block_1.channels(), 64, 3, {.padding = 1}))(nn::ReLU());
  x = x(nn::Conv2d(x.channels(), 64, 3, {.padding = 1}))(nn::ReLU());
  auto block_2 = x + block_1;
  x = block_2(nn::Conv2d(block_2.channels(), 64, 3, {.padding = 1}))(nn::ReLU());
  x = x(nn::Conv2d(x.channels(), 64, 3, {.padding = 1}))(nn::ReLU());
  auto block_3 = x + block_2;
  x = block_3(nn::Conv2d(block_3.channels(), 64, 3))(nn::ReLU());
  x = x(nn::AvgPool2d(x.HW()))(nn::Flatten());
  x = x(nn::Linear(x.features(), 256))(nn::ReLU());
  return SymbolicModel(inputs, x(nn::Dropout(0.5))(nn::Linear(256, 10)));
}

inline SymbolicModel net() {
  auto inputs = Input({1, 28, 28});
  auto x = nn::Conv2d(1, 32, 5)(inputs)(nn::MaxPool2d(3))(nn::ReLU());
  x = nn::Conv2d(32, 64, 5)(x)(nn::MaxPool2d(2))(nn::ReLU());
  x = reshape(x, {-1, 256})(nn::Linear(256, 200))(nn::ReLU());
  return SymbolicModel(inputs, nn::Linear(200, 10)(x));
}

}  // namespace reprise::test
