#include "training_step.h"

#include "../autograd/tape.h"
#include "../core/ops.h"
#include "../layers/clip_grad.h"

namespace reprise {
namespace {

void update_parameters(optim::Optimizer& optimizer, const TrainingStepOptions& options) {
  const std::vector<Tensor> parameters = optimizer.parameters();
  if (options.max_grad_norm) nn::clip_grad_norm_(parameters, *options.max_grad_norm);
  if (options.max_grad_value) nn::clip_grad_value_(parameters, *options.max_grad_value);
  optimizer.step();
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
    (count > 1 ? loss / count : loss).backward();
    if (count == 1) update_parameters(optimizer, options);
    return results;
  };
  return compile(step, inputs, options.compile);
}

}  // namespace

TrainingStep::TrainingStep(const detail::Traceable& forward, optim::Optimizer& optimizer,
                           const std::vector<Example>& inputs, const TrainingStepOptions& options)
    : step_(compile_step(forward, optimizer, inputs, options)), accumulate_(options.accumulate) {
  if (accumulate_ == 1) return;
  const auto update = [&] {
    update_parameters(optimizer, options);
    optimizer.zero_grad(false);
  };
  update_ = compile(update, {}, options.compile);
}

Tensors TrainingStep::call(std::span<const Tensor> inputs) {
  Tensors out = step_.call(inputs);
  update();
  return out;
}

void TrainingStep::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  step_.run(inputs, outputs);
  update();
}

void TrainingStep::update() {
  if (!update_ || ++micro_batch_ < accumulate_) return;
  update_->run({}, {});
  micro_batch_ = 0;
}

}  // namespace reprise
