// How long a program takes to make, phase by phase, for the toy ResNet's training step and for
// graphs of about N calls; and the memory of that training step, beside what it takes op by op.

#include <benchmark/benchmark.h>

#include <functional>
#include <string>

#include "linear_chain.h"
#include "toy_resnet.h"

namespace reprise_bench {
namespace {

using namespace reprise;

/// A function to trace, with what it is about, for a graph of so many calls.
using MakeTrace = std::function<std::function<Graph()>(int64_t calls)>;

std::function<Graph()> toy_resnet_trace(int64_t batch_size) {
  const auto training = std::make_shared<ToyResNetTraining>(batch_size);
  training->step();  // the state of the optimizer
  return [=] {
    training->optimizer.zero_grad();
    return trace([&](const Tensor& x, const Tensor& y) { return training->step(x, y); },
                 {training->batch.images, training->batch.labels});
  };
}

/// Each value is read by two calls, which the next one joins.
std::function<Graph()> diamonds(int64_t calls) {
  const Tensor x = randn({8, 8});
  return [=] {
    const auto f = [=](Tensor y) {
      for (int64_t i = 0; i < calls / 3; ++i) y = tanh(y) * sigmoid(y);
      return y;
    };
    return trace(f, {x});
  };
}

/// A layer is two calls on the way there, a view counted, and four on the way back.
std::function<Graph()> chain_with_backward(int64_t calls) {
  constexpr int64_t kCallsOfLayer = 5;
  const auto gradients = chain_gradients(linear_chain(calls / kCallsOfLayer));
  return [=] { return trace(gradients, {randn({4, 4}), ones({4, 4})}); };
}

void trace_only(benchmark::State& state, const MakeTrace& make) {
  const auto run = make(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(run());
  state.counters["calls"] = static_cast<double>(run().code.size());
}

void passes_only(benchmark::State& state, const MakeTrace& make) {
  const Graph graph = make(state.range(0))();
  for (auto _ : state) benchmark::DoNotOptimize(optimize(graph));
  state.counters["calls"] = static_cast<double>(optimize(graph).code.size());
}

void plan_only(benchmark::State& state, const MakeTrace& make) {
  const Graph graph = optimize(make(state.range(0))());
  for (auto _ : state) benchmark::DoNotOptimize(make_plan(graph));
}

/// Trace, passes, plan, and the program with all its pointers.
void all_phases(benchmark::State& state, const MakeTrace& make) {
  const auto run = make(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(Program(run()));
}

using Phase = void (*)(benchmark::State&, const MakeTrace&);

void add_phases(const std::string& name, const std::vector<int64_t>& sizes, const MakeTrace& make) {
  const std::pair<const char*, Phase> phases[] = {
      {"trace", trace_only}, {"passes", passes_only}, {"plan", plan_only}, {"all", all_phases}};
  for (const auto& [phase, measure] : phases) {
    const auto run = [make, measure = measure](benchmark::State& state) { measure(state, make); };
    auto* added = benchmark::RegisterBenchmark(("compile/" + name + "/" + phase).c_str(), run);
    for (const int64_t size : sizes) added->Arg(size);
    added->UseRealTime()->Unit(benchmark::kMicrosecond);
  }
}

const bool registered = [] {
  add_phases("toy_resnet_train", {32}, toy_resnet_trace);
  add_phases("diamonds", {1000, 10000, 100000}, diamonds);
  add_phases("linear_chain_train", {1000, 10000, 100000}, chain_with_backward);
  return true;
}();

/// Times the program's step; the counters are bytes. `eager_peak` is what a step takes at most
/// beyond parameters, optimizer and images, as the arena does.
void step_memory(benchmark::State& state) {
  ToyResNetTraining training(state.range(0));
  training.step();
  training.optimizer.zero_grad();
  const int64_t before = memory_stats().in_use;
  reset_peak_memory_stats();
  training.step();
  state.counters["eager_peak"] = static_cast<double>(memory_stats().peak - before);
  TrainingStep step = training.compile();
  for (auto _ : state) benchmark::DoNotOptimize(step(training.batch.images, training.batch.labels));
  const ProgramMemory memory = step.program().memory();
  state.counters["arena"] = static_cast<double>(memory.arena);
  state.counters["lower_bound"] = static_cast<double>(memory.lower_bound);
  state.counters["naive"] = static_cast<double>(memory.naive);
}

BENCHMARK(step_memory)->Name("step_memory/toy_resnet_train")->Arg(32)->UseRealTime();

}  // namespace
}  // namespace reprise_bench
