// Models of several inputs and outputs, and models that share their layers.

#include "models.h"

using namespace reprise;

namespace {

/// Features [N, features] of images.
Tensor encode(const Tensor& images, int64_t features) {
  Tensor x = images(nn::Conv2d(images.C(), 16, 3, {.padding = 1}))(nn::ReLU())(nn::MaxPool2d(2));
  x = x(nn::Conv2d(16, 32, 3, {.padding = 1}))(nn::ReLU())(nn::MaxPool2d(2))(nn::Flatten());
  return x(nn::Linear(x.features(), features))(nn::ReLU());
}

}  // namespace

SymbolicModel models::siamese(const Shape& image) {
  const Tensor images = Input(image);
  const SymbolicModel encoder(images, encode(images, 64));

  const Tensor left = Input(image), right = Input(image);
  const Tensor distance = abs(left(encoder) - right(encoder));
  return SymbolicModel({left, right}, distance(nn::Linear(64, 1))(nn::Sigmoid()));
}

SymbolicModel models::house() {
  const Tensor photo = Input({3, 32, 32}), facts = Input({8});
  const Tensor seen = encode(photo, 32);
  const Tensor known = facts(nn::Linear(8, 32))(nn::ReLU());
  const Tensor all = cat({seen, known}, 1);
  const Tensor price = all(nn::Linear(64, 1)), style = seen(nn::Linear(32, 5));
  return SymbolicModel({photo, facts}, {price, style});
}

models::Classifier models::classifier(const Shape& image, int64_t classes) {
  const Tensor images = Input(image);
  const Tensor features = encode(images, 64);
  const Tensor logits = features(nn::Linear(64, classes));
  return {SymbolicModel(images, logits), SymbolicModel(images, features)};
}

SymbolicModel models::transfer(SymbolicModel features, int64_t classes) {
  features.requires_grad_(false);
  const Tensor images = Input({}, {.batch_shape = features.input_shape()});
  const Tensor x = images(features);
  return SymbolicModel(images, x(nn::Linear(x.features(), classes)));
}
