#pragma once
// SymbolicModel: the part of a symbolic graph between given inputs and outputs, as a layer. It
// shares the parameters of the layers in that part and replays them in one fixed order.

#include "../layers/layer.h"
#include "symbolic.h"

namespace reprise {

/// One symbolic tensor or several.
struct SymbolicTensors : Tensors {
  SymbolicTensors(const Tensor& one) : Tensors{one} {}
  SymbolicTensors(std::initializer_list<Tensor> several) : Tensors(several) {}
  SymbolicTensors(const Tensors& several) : Tensors(several) {}
  SymbolicTensors(const std::vector<Tensor>& several) : Tensors(several) {}
};

namespace detail {
struct ReplayPlan;
}

/// Tensors mixed in as constants take part in gradients, but are no parameters of the model.
class REPRISE_API SymbolicModel : public nn::Layer<SymbolicModel> {
 public:
  /// Takes exactly the nodes between inputs and outputs. Inputs may be inner nodes or not be
  /// needed. Graph error naming the node when an output needs an Input that was not given.
  SymbolicModel(const SymbolicTensors& inputs, const SymbolicTensors& outputs);

  /// Replays on real tensors, or adds one node when an input is symbolic. The output of a model
  /// that has one; Graph error for a model of several (see outputs). Shape and DType errors name
  /// the input.
  template <std::same_as<Tensor>... In>
  requires(sizeof...(In) > 0) Tensor operator()(const In&... in) const {
    check_single_output();
    return std::move(outputs(in...).front());
  }
  /// The same with all outputs, in the order in which they were given.
  template <std::same_as<Tensor>... In>
  requires(sizeof...(In) > 0) Tensors outputs(const In&... in)
  const {
    return SymbolicModel(*this).Layer::operator()(in...);  // the const one would call us again
  }
  /// What replay runs.
  Tensors forward(const Tensors& in) const;

  size_t num_inputs() const;
  size_t num_outputs() const;
  /// Shape of the only input or output, with None for the batch; Graph error when there are
  /// several.
  Shape input_shape() const;
  Shape output_shape() const;
  std::vector<Shape> input_shapes() const;
  std::vector<Shape> output_shapes() const;

  /// A table: number (with * on outputs), Layer, Output shape, Params, Parent; then totals, in
  /// which shared parameters count once.
  std::string summary() const;

 private:
  void check_single_output() const;

  std::shared_ptr<const detail::ReplayPlan> plan_;
};

}  // namespace reprise
