// What one call costs where the arithmetic costs next to nothing: eager adds of four elements, and
// deep chains of Linear(4, 4) replayed by a SymbolicModel.

#include <benchmark/benchmark.h>
#include <reprise/reprise.h>

namespace reprise_bench {
namespace {

using namespace reprise;

void eager_add(benchmark::State& state, bool requires_grad) {
  const Tensor a = randn({4}, {.requires_grad = requires_grad});
  const Tensor b = randn({4}, {.requires_grad = requires_grad});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

SymbolicModel linear_chain(int64_t depth) {
  const auto inputs = Input({4});
  auto x = inputs;
  for (int64_t i = 0; i < depth; ++i) x = nn::Linear(4, 4)(x);
  return SymbolicModel(inputs, x);
}

void chain_forward(benchmark::State& state) {
  const NoGradGuard guard;
  const auto model = linear_chain(state.range(0));
  const Tensor x = randn({4, 4});
  for (auto _ : state) benchmark::DoNotOptimize(model(x));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void chain_train(benchmark::State& state) {
  auto model = linear_chain(state.range(0));
  const Tensor x = randn({4, 4}), gradient = ones({4, 4});
  for (auto _ : state) {
    model.zero_grad();
    model(x).backward(gradient);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

BENCHMARK_CAPTURE(eager_add, plain, false)->Name("eager_add/plain")->UseRealTime();
BENCHMARK_CAPTURE(eager_add, grad, true)->Name("eager_add/requires_grad")->UseRealTime();
BENCHMARK(chain_forward)->Name("linear_chain/forward")->Arg(250)->Arg(1000)->UseRealTime();
BENCHMARK(chain_train)->Name("linear_chain/train")->Arg(250)->Arg(1000)->UseRealTime();

}  // namespace
}  // namespace reprise_bench
