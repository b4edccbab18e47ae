#include "step.h"

using namespace reprise;

Step::Step(SymbolicModel& model, optim::Optimizer& optimizer, bool compiled)
    : model_(model), optimizer_(optimizer), compiled_(compiled) {}

Tensors Step::operator()(const Tensor& images, const Tensor& labels) {
  if (!compiled_) return eager(images, labels);
  return program_for(images, labels).call(std::array{images, labels});
}

Tensors Step::eager(const Tensor& images, const Tensor& labels) {
  optimizer_.zero_grad();
  const auto logits = model_(images);
  const auto loss = nn::functional::cross_entropy(logits, labels);
  loss.backward();
  optimizer_.step();
  return {loss.detach(), logits.detach()};
}

TrainingStep& Step::program_for(const Tensor& images, const Tensor& labels) {
  const auto known = programs_.find(images.size(0));
  if (known != programs_.end()) return known->second;
  auto step = compile_training_step(model_, nn::CrossEntropyLoss(), optimizer_, {images, labels});
  return programs_.emplace(images.size(0), std::move(step)).first->second;
}
