#pragma once
// A whole training step as one program: forward, loss, backward and update.
//
//   auto step = compile_training_step(model, nn::CrossEntropyLoss(), optimizer, {x, target});
//   Tensor loss = step(x, target);
//
// It trains the parameters of the model where they lie, so the model can be evaluated or saved at
// any time, and optimizer.set_lr, schedules included, holds from the next step on.

#include "../optim/grad_scaler.h"
#include "program.h"

namespace reprise {

struct TrainingStepOptions {
  std::optional<double> max_grad_norm = {};   ///< nn::clip_grad_norm_ before the update
  std::optional<double> max_grad_value = {};  ///< nn::clip_grad_value_ before the update
  /// Micro-batches per update: each step adds the gradient of its loss divided by this, every so
  /// many steps update the parameters.
  int64_t accumulate = 1;
  /// Scales the loss that backward sees; updated with the parameters. It must outlive compiling.
  optim::GradScaler* scaler = nullptr;
  CompileOptions compile = {};  ///< names are by default those of the model's state_dict
};

class REPRISE_API TrainingStep {
 public:
  /// `forward` returns the loss and then what else a step is to return.
  TrainingStep(const detail::Traceable& forward, optim::Optimizer& optimizer,
               const std::vector<Example>& inputs, const TrainingStepOptions& options);

  /// One step; the loss, before the update.
  template <std::derived_from<Tensor>... In>
  Tensor operator()(const In&... inputs) {
    return std::move(call(std::array<Tensor, sizeof...(In)>{inputs...}).front());
  }
  /// The loss, then the outputs of the model.
  Tensors call(std::span<const Tensor> inputs);
  /// The same into tensors of the caller: allocates nothing. The errors of Program::run; Graph
  /// error when the parameters have been converted (Module::to) since this was compiled.
  void run(std::span<const Tensor> inputs, std::span<const Tensor> outputs);

  /// How many micro-batches the gradients hold that no update has used.
  int64_t micro_batch() const { return micro_batch_; }
  /// Updates with the micro-batches there are, each still weighted as one of `accumulate`.
  void flush();
  /// Gives their gradients up.
  void reset();

  /// Forward and backward, and the update unless micro-batches are accumulated.
  const Program& program() const { return step_; }
  /// The update of accumulated gradients, or null.
  const Program* update_program() const { return update_ ? &*update_ : nullptr; }

 private:
  void check_parameters() const;
  void count_micro_batch();

  Program step_;
  std::optional<Program> update_;
  int64_t accumulate_, micro_batch_ = 0;
  std::vector<Tensor> parameters_, gradients_;  // gradients: those that are accumulated
  std::vector<Ref<Storage>> memory_;            // of the parameters, when this was compiled
};

namespace detail {

template <class F>
Tensors call_any(F& f, const Tensors& in) {
  if constexpr (std::derived_from<F, nn::Module>)
    return f.call(in);
  else
    return call_traceable(f, in);
}

template <class Model>
size_t inputs_of(const Model& model, size_t all) {
  if constexpr (requires { model.num_inputs(); }) return std::min(all, model.num_inputs());
  return std::min<size_t>(all, 1);
}

}  // namespace detail

/// `inputs` stand for those of the model (as many as model.num_inputs() says, else one) and then
/// the targets: the loss is loss(outputs of the model..., targets...), of one element. Both may be
/// layers or functions. The model is traced in the mode it is in; gradients that parameters have
/// are dropped, and .grad() of the parameters belongs to the step while micro-batches accumulate.
/// `optimizer` must have the parameters to train: Value error when the loss depends on none of
/// them. Errors of trace and compile, Value error for accumulate < 1.
template <class Model, class Loss>
TrainingStep compile_training_step(Model& model, Loss loss, optim::Optimizer& optimizer,
                                   const std::vector<Example>& inputs,
                                   TrainingStepOptions options = {}) {
  if constexpr (std::derived_from<Model, nn::Module>) {
    if (options.compile.names.empty()) options.compile.names = model.state_dict();
  }
  const auto forward = [&](const Tensors& in) {
    const std::span<const Tensor> all = in;
    const size_t count = detail::inputs_of(model, in.size());
    const Tensors out = detail::call_any(model, Tensors(all.first(count)));
    Tensors arguments = out;
    for (const Tensor& target : all.subspan(count)) arguments.push_back(target);
    Tensors results{detail::call_any(loss, arguments).front()};
    for (const Tensor& y : out) results.push_back(y);
    return results;
  };
  return TrainingStep(forward, optimizer, inputs, options);
}

}  // namespace reprise
