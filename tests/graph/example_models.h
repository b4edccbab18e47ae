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

/// Three Conv2d with ReLU and a Linear on images of one channel, 28 x 28: what the classifier and
/// its feature extractor share.
struct ConvClassifier {
  Tensor inputs = Input({1, 28, 28}), features = convolutions(inputs);
  Tensor outputs = nn::Linear(6272, 10)(nn::Flatten()(features));
  SymbolicModel classifier{inputs, outputs}, extractor{inputs, features};

  static Tensor convolutions(Tensor x) {
    for (int i = 0; i < 3; ++i) x = nn::Conv2d(x.C(), 8, 3, {.padding = 1})(x)(nn::ReLU());
    return x;
  }
};

/// How far the features of two images are apart, the second one noisy.
inline SymbolicModel feature_difference(const SymbolicModel& extractor) {
  const auto first = Input({1, 28, 28}), second = Input({1, 28, 28}), noise = Input({1, 28, 28});
  const auto a = extractor(first);
  const auto noisy = second + noise;
  const auto b = extractor(noisy);
  return SymbolicModel({first, second, noise}, sum(pow(a - b, 2), {1, 2, 3}));
}

/// Conv2d, MaxPool2d, ReLU, Flatten and a Linear to 200.
inline Tensor image_branch(const Tensor& image) {
  const auto x = nn::Conv2d(image.C(), 16, 3)(image)(nn::MaxPool2d(3))(nn::ReLU())(nn::Flatten());
  return nn::Linear(x.features(), 200)(x);
}

inline SymbolicModel two_heads(const SymbolicTensors& inputs, const Tensor& features, int64_t first,
                               int64_t second) {
  const auto x = nn::Linear(200, 400)(features)(nn::ReLU());
  const auto a = nn::Linear(400, first)(x), b = nn::Linear(400, second)(x);
  return SymbolicModel(inputs, {a, b});
}

inline SymbolicModel image_and_vector() {
  const auto image = Input({3, 32, 32}), vector = Input({64});
  const auto a = image_branch(image);
  auto b = nn::Linear(64, 512)(vector)(nn::ReLU());
  b = nn::Linear(512, 512)(b)(nn::ReLU());
  b = nn::Linear(512, 200)(b);
  return two_heads({image, vector}, a + b, 10, 1);
}

inline SymbolicModel two_images() {
  const auto gray = Input({1, 28, 28}), rgb = Input({3, 32, 32});
  const auto a = image_branch(gray), b = image_branch(rgb);
  return two_heads({gray, rgb}, a + b, 10, 10);
}

}  // namespace reprise::test
