#include "models.h"

using namespace reprise;

namespace {

Tensor conv(const Tensor& x, int64_t channels, int64_t size, int64_t stride = 1) {
  return x(
      nn::Conv2d(x.C(), channels, size, {.stride = stride, .padding = size / 2, .bias = false}));
}

Tensor norm(const Tensor& x) { return x(nn::BatchNorm2d(x.C())); }

bool fits(const Tensor& x, int64_t channels, int64_t stride) {
  return x.C() == channels && stride == 1;
}

Tensor basic(const Tensor& x, int64_t channels, int64_t stride) {
  Tensor y = norm(conv(x, channels, 3, stride))(nn::ReLU());
  y = norm(conv(y, channels, 3));
  y = y + (fits(x, channels, stride) ? x : norm(conv(x, channels, 1, stride)));
  return y(nn::ReLU());
}

Tensor bottleneck(const Tensor& x, int64_t channels, int64_t stride) {
  const Tensor active = norm(x)(nn::ReLU());
  Tensor y = norm(conv(active, channels / 4, 1, stride))(nn::ReLU());
  y = norm(conv(y, channels / 4, 3))(nn::ReLU());
  y = conv(y, channels, 1);
  return y + (fits(x, channels, stride) ? x : conv(active, channels, 1, stride));
}

Tensor wide(const Tensor& x, int64_t channels, int64_t stride, double dropout) {
  const Tensor active = norm(x)(nn::ReLU());
  Tensor y = norm(conv(active, channels, 3, stride))(nn::ReLU());
  if (dropout > 0) y = y(nn::Dropout(dropout));
  y = conv(y, channels, 3);
  return y + (fits(x, channels, stride) ? x : conv(active, channels, 1, stride));
}

/// Three stages of n blocks; the second and the third begin with half the height and width.
Tensor stages(Tensor x, int n, int64_t channels, const auto& block) {
  for (const int64_t stage : {0, 1, 2}) {
    for (int b = 0; b < n; ++b) x = block(x, channels << stage, b == 0 && stage > 0 ? 2 : 1);
  }
  return x;
}

Tensor head(const Tensor& x, int64_t classes) {
  const Tensor features = x(nn::AvgPool2d(x.HW()))(nn::Flatten());
  return features(nn::Linear(features.features(), classes));
}

/// The n of depth = per_block n + rest.
int blocks(const char* model, int depth, int per_block, int rest) {
  check(depth > rest && depth % per_block == rest, ErrorKind::Value, model,
        ": expected a depth of ", per_block, " n + ", rest, ", got ", depth);
  return depth / per_block;
}

}  // namespace

SymbolicModel models::resnet(int depth, const Shape& image, int64_t classes) {
  const int n = blocks("resnet", depth, 6, 2);
  const Tensor images = Input(image);
  Tensor x = norm(conv(images, 16, 3))(nn::ReLU());
  x = stages(x, n, 16, basic);
  return SymbolicModel(images, head(x, classes));
}

SymbolicModel models::preact_resnet(int depth, const Shape& image, int64_t classes) {
  const int n = blocks("preact_resnet", depth, 9, 2);
  const Tensor images = Input(image);
  Tensor x = conv(images, 16, 3);
  x = norm(stages(x, n, 64, bottleneck))(nn::ReLU());
  return SymbolicModel(images, head(x, classes));
}

SymbolicModel models::wide_resnet(int depth, int64_t width, double dropout, const Shape& image,
                                  int64_t classes) {
  const int n = blocks("wide_resnet", depth, 6, 4);
  const auto block = [=](const Tensor& x, int64_t channels, int64_t stride) {
    return wide(x, channels, stride, dropout);
  };
  const Tensor images = Input(image);
  Tensor x = conv(images, 16, 3);
  x = norm(stages(x, n, 16 * width, block))(nn::ReLU());
  return SymbolicModel(images, head(x, classes));
}
