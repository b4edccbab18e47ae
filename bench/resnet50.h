#pragma once
// A model of ResNet-50's shape: bottleneck blocks with the stride in the 3x3 convolution, as
// torchvision has them.

#include <reprise/reprise.h>

namespace reprise_bench {

inline reprise::Tensor conv_norm(const reprise::Tensor& x, int64_t channels, int64_t kernel,
                                 int64_t stride = 1) {
  using namespace reprise;
  const auto y = nn::Conv2d(x.C(), channels, kernel,
                            {.stride = stride, .padding = kernel / 2, .bias = false})(x);
  return nn::BatchNorm2d(channels)(y);
}

inline reprise::Tensor bottleneck(const reprise::Tensor& x, int64_t width, int64_t stride) {
  using namespace reprise;
  const int64_t channels = 4 * width;
  const nn::ReLU relu;
  Tensor y = relu(conv_norm(x, width, 1));
  y = relu(conv_norm(y, width, 3, stride));
  y = conv_norm(y, channels, 1);
  const bool fits = x.C() == channels && stride == 1;
  return relu(y + (fits ? x : conv_norm(x, channels, 1, stride)));
}

/// 25,557,032 parameters with 1000 classes; `width`: channels of the first layer.
inline reprise::SymbolicModel resnet50(int64_t pixels = 224, int64_t classes = 1000,
                                       int64_t width = 64) {
  using namespace reprise;
  const Tensor inputs = Input({3, pixels, pixels});
  Tensor x = nn::ReLU()(conv_norm(inputs, width, 7, 2));
  x = nn::MaxPool2d(3, {.stride = 2, .padding = 1})(x);
  constexpr int64_t blocks[] = {3, 4, 6, 3};
  for (int64_t stage = 0; stage < 4; ++stage) {
    for (int64_t b = 0; b < blocks[stage]; ++b) {
      x = bottleneck(x, width << stage, b == 0 && stage > 0 ? 2 : 1);
    }
  }
  x = nn::AvgPool2d(x.HW())(x)(nn::Flatten());
  return SymbolicModel(inputs, nn::Linear(x.features(), classes)(x));
}

}  // namespace reprise_bench
