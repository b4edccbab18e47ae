#include <map>

#include "models.h"

using namespace reprise;

SymbolicModel models::vgg(int depth, const Shape& image, int64_t classes) {
  const std::map<int, std::array<int, 5>> convolutions{
      {11, {1, 1, 2, 2, 2}}, {13, {2, 2, 2, 2, 2}}, {16, {2, 2, 3, 3, 3}}, {19, {2, 2, 4, 4, 4}}};
  check(convolutions.contains(depth), ErrorKind::Value,
        "vgg: expected a depth of 11, 13, 16 or 19, got ", depth);

  const Tensor images = Input(image);
  Tensor x = images;
  int64_t channels = 64;
  for (const int count : convolutions.at(depth)) {
    for (int i = 0; i < count; ++i) {
      x = x(nn::Conv2d(x.C(), channels, 3, {.padding = 1}));
      x = x(nn::BatchNorm2d(channels))(nn::ReLU());
    }
    x = x(nn::MaxPool2d(2));
    channels = std::min<int64_t>(2 * channels, 512);
  }
  x = x(nn::Flatten());
  return SymbolicModel(images, x(nn::Linear(x.features(), classes)));
}
