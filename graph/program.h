#pragma once
// Program: a graph with everything decided, ready to run again and again. Running is a loop over op
// calls whose operands are pointers already: nothing is allocated, no shape is worked out.
//
//   Program step = compile([&](const Tensor& x) { return net(x); }, {x});
//   Tensor y = step(x);             fresh outputs
//   step.run({x}, {y});             into tensors of the caller: allocates nothing
//
// What the function captured (parameters, buffers, a learning rate) is read and written where it
// lies, so values that change between runs are seen; a module converted by to(dtype) lies
// elsewhere, and what was compiled of it must be compiled again. Calls that depend on captures
// alone run once and again after a capture changed through a tensor; after writing through
// data<T>() call refresh.
//
// On a GPU runs are queued on the current stream. After two runs, on whatever thread, the kernels
// are captured: from then on a program is one CUDA Graph, or one for each stretch between C++
// functions that it calls and copies from and to the host.
//
// A program is run by one thread at a time; give others a clone(). Its runs wait for each other,
// whatever their streams; who else uses what it captured on another stream must wait, too.

#include <memory>
#include <string>
#include <vector>

#include "plan.h"
#include "trace.h"

namespace reprise {

struct CompileOptions {
  /// Which passes run (passes/passes.h): "" all, "none", "-hoist,-fuse" all but these,
  /// "dead_code" only these. The environment's REPRISE_PASSES stands in for "".
  std::string passes = {};
  /// Slots are kept apart by canaries and memory is poisoned once it is free; an Internal error
  /// names the call that wrote where it should not. For tests and for hunting bugs: slow.
  bool check_memory = false;
  nn::NamedTensors names = {};  ///< what captures are called: model.state_dict()
};

/// Bytes that a program needs, known before it runs.
struct ProgramMemory {
  size_t arena = 0;        ///< intermediate values and workspace
  size_t lower_bound = 0;  ///< the largest set of them that is alive at one time
  size_t naive = 0;        ///< without reuse
  size_t captures = 0;     ///< parameters, buffers and constants, which it shares
  size_t inputs = 0, outputs = 0;
  size_t places = 0;  ///< on a GPU: copies of inputs and outputs
};

namespace detail {
struct ProgramState;
}

class REPRISE_API Program {
 public:
  /// Optimises (the passes in `options`) and plans `graph`. Graph error when verify finds a fault.
  explicit Program(Graph graph, const CompileOptions& options = {});
  /// The same in the arena of `larger`, a program of the same calls for a larger batch, when all
  /// fits where that has it (reuse_plan); else with an arena of its own. Programs that share an
  /// arena run one at a time.
  Program(Graph graph, const CompileOptions& options, const Program& larger);
  /// The same graph and captures with an arena of its own, to run beside this one.
  Program clone() const;
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  /// Runs on tensors like the examples and returns fresh outputs.
  Tensors call(std::span<const Tensor> inputs);
  /// Writes into `outputs`, dense tensors that overlap nothing. Inputs are read where they lie when
  /// their strides are those of the example, else copied first. Value, Shape, DType and Device
  /// errors name the input or output, and nothing has changed then; an error of a kernel names the
  /// layer, and the program can be run again. Graph error while another thread runs it.
  void run(std::span<const Tensor> inputs, std::span<const Tensor> outputs);
  void run(std::initializer_list<Tensor> inputs, std::initializer_list<Tensor> outputs) {
    run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
  }
  /// The only output, or the first one. Graph error when there is none.
  template <std::derived_from<Tensor>... In>
  Tensor operator()(const In&... inputs) {
    return first(call(std::array<Tensor, sizeof...(In)>{inputs...}));
  }

  /// Makes the next run work out again what depends on captures alone.
  void refresh();

  size_t num_inputs() const { return graph().inputs.size(); }
  size_t num_outputs() const { return graph().outputs.size(); }
  /// How many op calls one run makes.
  size_t num_calls() const;
  const Graph& graph() const;
  const Plan& plan() const;
  bool shares_arena_with(const Program& other) const;
  ProgramMemory memory() const;
  /// "a loop of 12 calls"; on a GPU "one CUDA graph of 12 kernels", "2 CUDA graphs of 9 kernels and
  /// 1 host step", or a loop that says why it is one.
  std::string replay() const;
  /// Memory in figures, and a table of the largest values; on a GPU also how it runs.
  std::string report() const;

  /// One safetensors file: the values of the captures, and the text of the graph in its metadata.
  /// Io error; Graph error for a program with host calls.
  void save(const std::string& path) const;
  /// Checked as untrusted input: Format error for anything but a graph that verify accepts. The
  /// program owns its captures.
  static Program load(const std::string& path);

 private:
  explicit Program(std::unique_ptr<detail::ProgramState> state);
  detail::ProgramState& state() const;
  static Tensor first(Tensors outputs);

  std::unique_ptr<detail::ProgramState> state_;
};

/// trace, passes and plan. Options and errors of all of them.
template <class F>
Program compile(F&& f, const std::vector<Example>& inputs, const CompileOptions& options = {}) {
  return Program(trace(f, inputs, {.names = options.names}), options);
}

}  // namespace reprise
