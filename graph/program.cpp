#include "program.h"

#include "../core/ops.h"
#include "passes/passes.h"
#include "program_state.h"
#include "verify.h"

namespace reprise {

namespace {

std::shared_ptr<detail::Compiled> optimized(Graph graph, const CompileOptions& options) {
  verify(graph);
  auto compiled = std::make_shared<detail::Compiled>();
  compiled->graph = optimize(std::move(graph), options.passes);
  compiled->check_memory = options.check_memory;
  const auto gpu = detail::gpu_of(compiled->graph);
  check(!options.check_memory || !gpu, ErrorKind::Device,
        "program: check_memory is for values on the CPU, some lie on ", gpu.value_or(Device()));
  return compiled;
}

Plan fresh_plan(const detail::Compiled& compiled) {
  return make_plan(compiled.graph, {.gap = compiled.check_memory ? MemoryCheck::kGap : 0});
}

}  // namespace

Program::Program(Graph graph, const CompileOptions& options) {
  auto compiled = optimized(std::move(graph), options);
  compiled->plan = fresh_plan(*compiled);
  state_ = std::make_unique<detail::ProgramState>(std::move(compiled));
}

Program::Program(Graph graph, const CompileOptions& options, const Program& larger) {
  auto compiled = optimized(std::move(graph), options);
  auto reused = reuse_plan(larger.plan(), larger.graph(), compiled->graph);
  const bool shares = reused && compiled->check_memory == larger.state().compiled->check_memory;
  compiled->plan = shares ? *std::move(reused) : fresh_plan(*compiled);
  state_ = std::make_unique<detail::ProgramState>(std::move(compiled),
                                                  shares ? larger.state().arena : nullptr);
}

Program::Program(std::unique_ptr<detail::ProgramState> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

detail::ProgramState& Program::state() const {
  check(state_ != nullptr, ErrorKind::Value, "program: it was moved from");
  return *state_;
}

Program Program::clone() const {
  return Program(std::make_unique<detail::ProgramState>(state().compiled));
}

Tensors Program::call(std::span<const Tensor> inputs) {
  Tensors outputs;
  for (const detail::Port& port : state().outputs) {
    auto storage = make_ref<Storage>(port.meta.nbytes(), port.meta.device);
    outputs.emplace_back(make_ref<TensorImpl>(port.meta, std::move(storage)));
  }
  state().run(inputs, outputs, true);
  return outputs;
}

void Program::run(std::span<const Tensor> inputs, std::span<const Tensor> outputs) {
  state().run(inputs, outputs, false);
}

Tensor Program::first(Tensors outputs) {
  check(!outputs.empty(), ErrorKind::Graph, "program: it has no outputs; use call or run");
  return std::move(outputs.front());
}

void Program::refresh() { state().stale = true; }

size_t Program::num_calls() const { return state().steps.size(); }
const Graph& Program::graph() const { return state().compiled->graph; }
const Plan& Program::plan() const { return state().compiled->plan; }
bool Program::shares_arena_with(const Program& other) const {
  return state().arena == other.state().arena;
}

ProgramMemory Program::memory() const {
  ProgramMemory out;
  out.arena = static_cast<size_t>(plan().arena_bytes);
  out.lower_bound = static_cast<size_t>(plan().lower_bound);
  out.naive = static_cast<size_t>(plan().naive_bytes);
  for (const Capture& capture : graph().captures) {
    if (graph().value(capture.value).root == capture.value) {
      out.captures += capture.tensor.impl().storage->nbytes();
    }
  }
  for (const detail::Port& port : state().inputs) out.inputs += port.meta.nbytes();
  for (const detail::Port& port : state().outputs) out.outputs += port.meta.nbytes();
  if (state().replay != nullptr) out.places = state().replay->bytes_of_places();
  return out;
}

std::string Program::replay() const { return state().how_it_runs(); }

std::string Program::report() const {
  const bool on_gpu = detail::gpu_of(graph()).has_value();
  return (on_gpu ? text("Runs as        ", replay(), "\n") : "") + memory_report(graph(), plan());
}

}  // namespace reprise
