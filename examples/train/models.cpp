#include "models.h"

#include "../models/models.h"

using namespace reprise;

namespace {

SymbolicModel toy_resnet(const Shape& image, int64_t classes) {
  const Tensor inputs = Input(image);
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
  auto outputs = nn::Linear(256, classes)(nn::Dropout(0.5)(x));
  return SymbolicModel(inputs, outputs);
}

SymbolicModel net(const Shape& image, int64_t classes) {
  const Tensor inputs = Input(image);
  auto x = inputs(nn::Conv2d(inputs.C(), 32, 5))(nn::MaxPool2d(3))(nn::ReLU());
  x = x(nn::Conv2d(x.C(), 64, 5))(nn::MaxPool2d(2))(nn::ReLU())(nn::Flatten());
  x = x(nn::Linear(x.features(), 200))(nn::ReLU());
  return SymbolicModel(inputs, x(nn::Linear(200, classes)));
}

SymbolicModel mlp(const Shape& image, int64_t classes) {
  const Tensor inputs = Input(image);
  auto x = inputs(nn::Flatten());
  x = x(nn::Linear(x.features(), 256))(nn::ReLU());
  x = x(nn::Linear(256, 128))(nn::ReLU());
  return SymbolicModel(inputs, x(nn::Linear(128, classes)));
}

}  // namespace

const std::map<std::string, MakeModel>& known_models() {
  static const std::map<std::string, MakeModel> known{
      {"mlp", mlp},
      {"net", net},
      {"toy_resnet", toy_resnet},
      {"resnet20", std::bind_front(models::resnet, 20)},
      {"resnet56", std::bind_front(models::resnet, 56)},
      {"preact_resnet164", std::bind_front(models::preact_resnet, 164)},
      {"wide_resnet16x8", std::bind_front(models::wide_resnet, 16, 8, 0.3)},
      {"vgg11", std::bind_front(models::vgg, 11)},
      {"vgg16", std::bind_front(models::vgg, 16)}};
  return known;
}
