// The toy ResNet from end to end: forward as in use, and one step of training.

#include "toy_resnet.h"

#include <benchmark/benchmark.h>

namespace reprise_bench {
namespace {

using namespace reprise;

void forward(benchmark::State& state) {
  const NoGradGuard guard;
  auto model = toy_resnet();
  model.eval();
  const Batch batch(state.range(0));
  model(batch.images);  // the first run takes fresh memory
  for (auto _ : state) benchmark::DoNotOptimize(model(batch.images));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void train(benchmark::State& state) {
  ToyResNetTraining training(state.range(0));
  training.step();  // the first run takes fresh memory
  for (auto _ : state) benchmark::DoNotOptimize(training.step());
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void batch_sizes(benchmark::internal::Benchmark* b) {
  b->Arg(1)->Arg(4)->Arg(32)->Arg(128)->UseRealTime()->Unit(benchmark::kMicrosecond);
}

BENCHMARK(forward)->Name("toy_resnet/forward")->Apply(batch_sizes);
BENCHMARK(train)->Name("toy_resnet/train")->Apply(batch_sizes);

}  // namespace
}  // namespace reprise_bench
