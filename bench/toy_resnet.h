#pragma once
// The model that the end-to-end figures are about: a small residual network for images of 3x32x32.

#include <reprise/reprise.h>

namespace reprise_bench {

/// For images of that many pixels in each direction, 16 or more.
inline reprise::SymbolicModel toy_resnet(int64_t pixels = 32) {
  using namespace reprise;
  const auto inputs = Input({3, pixels, pixels});
  auto x = nn::Conv2d(inputs.C(), 32, 3)(inputs)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3)(x)(nn::ReLU());
  const auto block_1 = nn::MaxPool2d(3)(x);

  x = nn::Conv2d(block_1.C(), 64, 3, {.padding = 1})(block_1)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3, {.padding = 1})(x)(nn::ReLU());
  const auto block_2 = x + block_1;

  x = nn::Conv2d(block_2.C(), 64, 3, {.padding = 1})(block_2)(nn::ReLU());
  x = nn::Conv2d(x.C(), 64, 3, {.padding = 1})(x)(nn::ReLU());
  const auto block_3 = x + block_2;

  x = nn::Conv2d(block_3.C(), 64, 3)(block_3)(nn::ReLU());
  x = nn::AvgPool2d(x.HW())(x)(nn::Flatten());
  x = nn::Linear(x.features(), 256)(x)(nn::ReLU());
  const auto outputs = nn::Linear(256, 10)(nn::Dropout(0.5)(x));
  return SymbolicModel(inputs, outputs);
}

/// Random images with random labels.
struct Batch {
  reprise::Tensor images, labels;

  explicit Batch(int64_t size, int64_t pixels = 32, int64_t classes = 10)
      : images(reprise::randn({size, 3, pixels, pixels})),
        labels((reprise::rand({size}) * classes).to(reprise::int64)) {}
};

/// A model in training with one batch.
struct ToyResNetTraining {
  reprise::SymbolicModel model = toy_resnet();
  reprise::optim::SGD optimizer{model.parameters(), {.lr = 0.01, .momentum = 0.9}};
  Batch batch;

  explicit ToyResNetTraining(int64_t batch_size) : batch(batch_size) {}

  /// One step; gives the loss.
  reprise::Tensor step(const reprise::Tensor& images, const reprise::Tensor& labels) {
    optimizer.zero_grad();
    const auto loss = reprise::nn::functional::cross_entropy(model(images), labels);
    loss.backward();
    optimizer.step();
    return loss;
  }
  reprise::Tensor step() { return step(batch.images, batch.labels); }
  /// The same as a program.
  reprise::TrainingStep compile() {
    return compile_training_step(model, reprise::nn::CrossEntropyLoss(), optimizer,
                                 {batch.images, batch.labels});
  }
};

}  // namespace reprise_bench
