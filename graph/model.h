#pragma once
// SymbolicModel: the part of a symbolic graph between given inputs and outputs, as a layer. It
// shares the parameters of the layers in that part and replays them in one fixed order.

#include "../layers/layer.h"
#include "program.h"
#include "summary.h"
#include "symbolic_value.h"

namespace reprise {

struct ModelCompileOptions {
  /// Programs for inputs of these batch sizes are made at once; smaller batches share the memory of
  /// larger ones. For a model with an unknown batch size and without C++ code between its layers.
  std::vector<int64_t> batch_sizes = {};
  bool train = false;        ///< for `batch_sizes`: also a forward and a backward with gradients
  size_t max_programs = 32;  ///< kept; the least recently used one goes
  CompileOptions compile = {};
};

namespace detail {
struct ReplayPlan;
class CompiledModel;
struct ModelState;

/// An argument of a model as a tensor, a symbol or a box.
inline const Tensor& to_value(const Tensor& x) { return x; }
template <class T>
const Tensor& to_value(const Symbolic<T>& x) {
  return x.node();
}
template <class T>
requires(!std::derived_from<T, Tensor>) Tensor to_value(const T& x) { return box<Stored<T>>(x); }

template <class T, bool symbolic>
auto take_value(const Tensor& x) {
  if constexpr (std::same_as<T, Tensor>) {
    check_tensor(x);
    return x;
  } else if constexpr (kIsValue<T>) {
    return T(x);
  } else if constexpr (symbolic) {
    return Symbolic<T>(x);
  } else {
    check(!x.is_symbolic(), ErrorKind::Graph,
          "SymbolicModel: called on symbols, it gives symbols: use call<Symbolic<T>>");
    return unbox<T>(x);
  }
}

template <class R>
struct Results {
  static constexpr size_t count = 1;
  template <bool symbolic>
  static auto take(const Tensors& out) {
    return take_value<R, symbolic>(out[0]);
  }
};
template <class... R>
struct Results<std::tuple<R...>> {
  static constexpr size_t count = sizeof...(R);
  template <bool symbolic>
  static auto take(const Tensors& out) {
    return [&]<size_t... I>(std::index_sequence<I...>) {
      return std::tuple{take_value<R, symbolic>(out[I])...};
    }
    (std::make_index_sequence<count>());
  }
};

template <class R, bool symbolic>
auto take_result(const Tensors& out) {
  check(out.size() == Results<R>::count, ErrorKind::Value, "SymbolicModel: asked for ",
        Results<R>::count, " outputs (a std::tuple asks for several), this model has ", out.size());
  return Results<R>::template take<symbolic>(out);
}

}  // namespace detail

/// Tensors mixed in as constants take part in gradients, but are no parameters of the model.
class REPRISE_API SymbolicModel : public nn::Layer<SymbolicModel> {
 public:
  /// Takes exactly the nodes between inputs and outputs. Inputs may be inner nodes or not be
  /// needed. Graph error naming the node when an output needs an Input that was not given.
  SymbolicModel(const SymbolicTensors& inputs, const SymbolicTensors& outputs);

  /// Copies are handles on the same model, unless a clone is being made.
  SymbolicModel(const SymbolicModel& other);
  SymbolicModel(SymbolicModel&&) = default;
  SymbolicModel& operator=(const SymbolicModel& other) { return *this = SymbolicModel(other); }
  SymbolicModel& operator=(SymbolicModel&&) = default;

  /// An independent model (see nn::Module::clone) with nothing of the symbolic graph: its layers,
  /// its nested models and the tensors mixed in as constants are its own. Functions are copied with
  /// the layers that they capture. It is not compiled.
  SymbolicModel detach_from_graph() const { return clone(); }

  /// Replays on real tensors, or adds one node when an input is symbolic. The output of a model
  /// that has one; Graph error for a model of several (see outputs). Shape and DType errors name
  /// the input.
  template <std::derived_from<Tensor>... In>
  requires(sizeof...(In) > 0) Tensor operator()(const In&... in) const {
    check_single_output();
    return std::move(outputs(in...).front());
  }
  /// The same with all outputs, in the order in which they were given.
  template <std::derived_from<Tensor>... In>
  requires(sizeof...(In) > 0) Tensors outputs(const In&... in)
  const {
    return SymbolicModel(*this).Layer::operator()(in...);  // the const one would call us again
  }
  Tensors outputs(const Tensors& in) const { return call_values(in); }
  Tensor operator()(const Tensors& in) const {
    check_single_output();
    return std::move(outputs(in).front());
  }
  /// model(x, ..., custom_name("encoder")) names the node of symbolic inputs.
  template <class... In>
  requires(sizeof...(In) > 1 && detail::kEndsWithName<In...>) Tensor operator()(
      const In&... in) const {
    const auto call = [&](const CustomName& name, const auto&... x) {
      return custom_name((*this)(x...), name.text);
    };
    return detail::with_last(call, in...);
  }
  /// For values of any C++ types: model.call<std::set<int>>(a, b); a std::tuple of several
  /// outputs. On symbols the result is symbolic, when all are tensors as call<Symbolic<int>>(x).
  /// DType errors name both types.
  template <class R, class... In>
  auto call(const In&... in) const {
    return detail::take_result<R, (detail::kIsValue<In> || ...)>(
        call_values({detail::to_value(in)...}));
  }
  using Module::call;

  /// One more output, after those there are. This model and its copies must not be running. Graph
  /// error when it needs an Input that the model does not have, or after detach_from_graph.
  void add_output(const AnySymbolic& output);

  /// What replay runs.
  Tensors forward(const Tensors& in) const;

  /// From now on this model and its copies run programs: one for each layout of inputs, mode of the
  /// layers and grad mode, made on first use. With gradients there are two, and a call leaves one
  /// node on the tape; differentiating it twice is an Autograd error. The C++ code of layers runs
  /// when a program is made, and no more. Functions of add_to_graph, and layers that read values,
  /// run each time, between parts that are programs. A layer with hooks keeps the whole model
  /// running layer by layer (compile_report says so), and so does a second thread while one is
  /// inside. Outputs are fresh tensors. Values written through data<T>() may be seen only after
  /// the next `compile`. Value error for wrong options, Graph error while another thread runs it.
  void compile(const ModelCompileOptions& options = {});
  /// Back to running layer by layer.
  void decompile();
  bool is_compiled() const;
  /// The programs with their memory, and what runs layer by layer for which reason.
  std::string compile_report() const;

  size_t num_inputs() const;
  size_t num_outputs() const;
  /// Shape of the only input or output, with None for the batch; Graph error when there are
  /// several.
  Shape input_shape() const;
  Shape output_shape() const;
  std::vector<Shape> input_shapes() const;
  std::vector<Shape> output_shapes() const;

  /// A table: number (with * on outputs), Layer, Output shape, Params, Parent; then totals, in
  /// which shared parameters count once. Value error for a wrong option, and with `memory` the
  /// errors of layers that cannot be called with such a batch.
  std::string summary(const SummaryOptions& options = {}) const;

  /// The symbol of a row of the summary, by its name: for a model of another piece of the graph.
  /// The first one, when a call has several outputs. Graph error naming the rows when there is none
  /// of that name, and after detach_from_graph.
  Tensor node(const std::string& name) const;

  /// What is replayed, for those who draw it (replay_plan.h).
  const detail::ReplayPlan& plan() const;

 private:
  void check_single_output() const;

  Tensors call_values(const Tensors& in) const;
  void register_layers();

  std::shared_ptr<detail::ModelState> model_;
};

}  // namespace reprise
