// Programs beside what bench/toy_resnet_bench.cpp and bench/overhead_bench.cpp run op by op, under
// the same names after "program/"; and what one instruction costs that has nothing to do.

#include <benchmark/benchmark.h>

#include "linear_chain.h"
#include "toy_resnet.h"

namespace reprise_bench {
namespace {

using namespace reprise;

void resnet_forward(benchmark::State& state) {
  const NoGradGuard guard;
  auto model = toy_resnet();
  model.eval();
  const Batch batch(state.range(0));
  Program program = compile(model_function(model), {batch.images});
  const Tensor out = program(batch.images);
  for (auto _ : state) program.run({batch.images}, {out});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void resnet_train(benchmark::State& state) {
  ToyResNetTraining training(state.range(0));
  TrainingStep step = training.compile();
  const std::array inputs{training.batch.images, training.batch.labels};
  const Tensors outputs = step.call(inputs);
  for (auto _ : state) step.run(inputs, outputs);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// Writes into the same output each time.
void chain_forward(benchmark::State& state) {
  const NoGradGuard guard;
  const auto model = linear_chain(state.range(0));
  const Tensor x = randn({4, 4});
  Program program = compile(model_function(model), {x});
  const Tensor out = program(x);
  for (auto _ : state) program.run({x}, {out});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// The gradients of all parameters are outputs: the program writes each where it is wanted. That of
/// the output is an input, since what follows from a constant is worked out once and for all.
void chain_train(benchmark::State& state) {
  const auto model = linear_chain(state.range(0));
  const std::array inputs{randn({4, 4}), ones({4, 4})};
  Program program = compile(chain_gradients(model), {inputs[0], inputs[1]});
  const Tensors gradients = program.call(inputs);
  for (auto _ : state) program.run(inputs, gradients);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// Gradients go to .grad(), which is filled with zeros first and added to.
void chain_accumulate(benchmark::State& state) {
  const auto model = linear_chain(state.range(0));
  const Tensor x = randn({4, 4}), gradient = ones({4, 4});
  model(x).backward(gradient);
  const auto step = [&](const Tensor& in, const Tensor& in_gradient) {
    for (const Tensor& p : model.parameters()) p.grad().zero_();
    model(in).backward(in_gradient);
  };
  Program program = compile(step, {x, gradient});
  for (auto _ : state) program.run({x, gradient}, {});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// Fills tensors without elements. Passes would drop those calls.
void empty_calls(benchmark::State& state) {
  const auto fill = [&](const Tensor& x) {
    for (int64_t i = 0; i < state.range(0); ++i) full({0}, 1.0F);
    return x + x;
  };
  const Tensor x = randn({4});
  Program program = compile(fill, {x}, {.passes = "none"});
  const Tensor out = program(x);
  for (auto _ : state) program.run({x}, {out});
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void batch_sizes(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(4)->Arg(32)->Arg(128)->UseRealTime()->Unit(benchmark::kMicrosecond);
}
void depths(benchmark::internal::Benchmark* b) { b->Arg(250)->Arg(1000)->UseRealTime(); }

BENCHMARK(resnet_forward)->Name("program/toy_resnet/forward")->Apply(batch_sizes);
BENCHMARK(resnet_train)->Name("program/toy_resnet/train")->Apply(batch_sizes);
BENCHMARK(chain_forward)->Name("program/linear_chain/forward")->Apply(depths);
BENCHMARK(chain_train)->Name("program/linear_chain/train")->Apply(depths);
BENCHMARK(chain_accumulate)->Name("program/linear_chain/accumulate")->Apply(depths);
BENCHMARK(empty_calls)->Name("program/empty_calls")->Arg(0)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace reprise_bench
