#include "training_step.h"

#include <algorithm>

#include "../autograd/tape.h"
#include "../core/ops.h"
#include "../layers/clip_grad.h"

namespace reprise {
namespace {

void update_parameters(optim::Optimizer& optimizer, const TrainingStepOptions& options) {
  const std::vector<Tensor> parameters = optimizer.parameters();
  optim::GradScaler* const scaler = options.scaler;
  if (scaler != nullptr) scaler->unscale_(optimizer);
  if (options.max_grad_norm) nn::clip_grad_norm_(parameters, *options.max_grad_norm);
  if (options.max_grad_value) nn::clip_grad_value_(parameters, *options.max_grad_value);
  if (scaler == nullptr) return optimizer.step();
  scaler->step(optimizer);
  scaler->update();
}

/// Inside the trace: a gradient that backward made or added to.
bool reached(const Tensor& parameter) {
  return parameter.grad().defined() && parameter.grad().is_traced();
}

Program compile_step(const detail::Traceable& forward, optim::Optimizer& optimizer,
                     const std::vector<Example>& inputs, const TrainingStepOptions& options) {
  const int64_t count = options.accumulate;
  check(count >= 1, ErrorKind::Value, "training step: expected accumulate >= 1, got ", count);
  optimizer.zero_grad();
  if (count > 1) {  // gradients that outlive a run have memory of their own
    for (const Tensor& p : optimizer.parameters()) p.set_grad(zeros_like(p.detach()));
  }
  const auto step = [&](const Tensors& in) {
    Tensors results = forward(in);
    const Tensor& loss = results.front();
    const Tensor share = count > 1 ? loss / count : loss;
    (options.scaler != nullptr ? options.scaler->scale(share) : share).backward();
    check(std::ranges::any_of(optimizer.parameters(), reached), ErrorKind::Value,
          "training step: the loss depends on none of the optimizer's parameters");
    if (count == 1) update_parameters(optimizer, options);
    return results;
  };
  return compile(step, inputs, options.compile);
}

}  // namespace

TrainingStep::TrainingStep(const detail::Traceable& forward, optim::Optimizer& optimizer,
                           const std::vector<Example>& inputs, const TrainingStepOptions& options)
    : step_(compile_step(forward, optimizer, inputs, options)),
      accumulate_(options.accumulate),
      parameters_(optimizer.parameters()) {
  for (const Tensor& p : parameters_) memory_.push_back(p.impl().storage);
  if (accumulate_ == 1) return;
  for (const Tensor& p : parameters_) gradients_.push_back(p.grad());
  const auto update = [&] {
    update_parameters(optimizer, options);
    optimizer.zero_grad(false);
  };
  update_ = compile(update, {}, options.compile);
}

Tensors TrainingStep::call(std::span<const Tensor> inputs) {
  check_parameters();
  Tensors out = step_.call(inputs);
  count_micro_batch();
  return out;
}

void TrainingStep::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  check_parameters();
  step_.run(inputs, outputs);
  count_micro_batch();
}

void TrainingStep::check_parameters() const {
  for (size_t i = 0; i < parameters_.size(); ++i) {
    check(parameters_[i].impl().storage == memory_[i], ErrorKind::Graph,
          "training step: parameter ", i, " of the optimizer was converted to ",
          parameters_[i].dtype(), parameters_[i].shape(),
          " in other memory; compile the step again");
  }
}

void TrainingStep::count_micro_batch() {
  if (update_ && ++micro_batch_ == accumulate_) flush();
}

void TrainingStep::flush() {
  if (micro_batch_ == 0) return;
  update_->run({}, {});
  micro_batch_ = 0;
}

void TrainingStep::reset() {
  for (Tensor& gradient : gradients_) gradient.fill_(0);
  micro_batch_ = 0;
}

}  // namespace reprise
