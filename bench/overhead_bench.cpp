// What one call costs where the arithmetic costs next to nothing: eager adds of four elements, deep
// chains of Linear(4, 4) called by a Sequential and replayed by a SymbolicModel, kernels launched
// with everything prepared, as a replayed program launches them, and a fork-join of two threads
// that have nothing to do.

#include <benchmark/benchmark.h>
#include <reprise/reprise.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <vector>

#include "../core/dispatch.h"
#include "../core/ops/create.h"
#include "../core/ops/elementwise.h"
#include "../core/ops/matmul.h"
#include "../core/ops/reduce.h"
#include "../core/parallel.h"
#include "../core/spin_lock.h"
#include "linear_chain.h"

namespace reprise_bench {
namespace {

using namespace reprise;

void eager_add(benchmark::State& state, bool requires_grad) {
  const Tensor a = randn({4}, {.requires_grad = requires_grad});
  const Tensor b = randn({4}, {.requires_grad = requires_grad});
  for (auto _ : state) benchmark::DoNotOptimize(a + b);
}

template <class Make>
void chain_forward(benchmark::State& state, Make make) {
  const NoGradGuard guard;
  auto model = make(state.range(0));
  const Tensor x = randn({4, 4});
  for (auto _ : state) benchmark::DoNotOptimize(model(x));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

template <class Make>
void chain_train(benchmark::State& state, Make make) {
  auto model = make(state.range(0));
  const Tensor x = randn({4, 4}), gradient = ones({4, 4});
  for (auto _ : state) {
    model.zero_grad();
    model(x).backward(gradient);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

/// `op` on `in` as an instruction of a program.
void launch(benchmark::State& state, const OpRef& op, const Tensors& in) {
  const NoGradGuard guard;
  const Tensors out = dispatch(*op, in);
  std::vector<View> views;
  Metas metas;
  for (const Tensor& t : in) {
    views.push_back({t.raw_data(), &t.meta()});
    metas.push_back(t.meta());
  }
  for (const Tensor& t : out) views.push_back({t.raw_data(), &t.meta()});
  const Tensor workspace =
      empty({static_cast<int64_t>(op->workspace(metas, {}))}, {.dtype = bool_});
  const std::span<const View> all = views;
  const Launch prepared{all.first(in.size()), all.subspan(in.size()), workspace.raw_data(), {}};
  for (auto _ : state) op->launch({}, prepared);
}

/// `make_inputs` returns Tensors.
template <Op T, class F>
void add_launch(const std::string& name, const T& op, F make_inputs) {
  const auto run = [=](benchmark::State& state) { launch(state, Model(op).keep(), make_inputs()); };
  benchmark::RegisterBenchmark(("launch/" + name).c_str(), run)->UseRealTime();
}

Tensor square() { return randn({4, 4}); }
Tensor transposed_square() { return transpose(square(), 0, 1); }
Tensor row() { return randn({4}); }

/// The calls of Linear(4, 4) at batch 4, forward and backward, and others of that size.
const bool launches = [] {
  add_launch("linear 4x4", Linear{}, [] { return Tensors{square(), square(), row()}; });
  add_launch("matmul 4x4", MatMul{}, [] { return Tensors{square(), square()}; });
  add_launch("matmul 4x4 transposed", MatMul{}, [] {
    return Tensors{transposed_square(), square()};
  });
  add_launch("sum 4x4 over rows", Sum{{0}, false}, [] { return Tensors{square()}; });
  add_launch("sum 4x4", Sum{{0, 1}, false}, [] { return Tensors{square()}; });
  add_launch("add 4x4", Add{}, [] { return Tensors{square(), square()}; });
  add_launch("add 4x4 expanded", Add{}, [] { return Tensors{square(), expand(row(), {4, 4})}; });
  add_launch("tanh 4x4", Tanh{}, [] { return Tensors{square()}; });
  add_launch("copy 4x4", Copy{float32}, [] { return Tensors{square()}; });
  add_launch("copy 4x4 transposed", Copy{float32}, [] { return Tensors{transposed_square()}; });
  add_launch("full 4x4", Full{{4, 4}, 1.0, float32, {}}, [] { return Tensors{}; });
  return true;
}();

/// Two threads with nothing to do. When they `meet`, each waits a moment for the other to come, as
/// real work would keep it; else the first to come mostly takes both ranges. The median shows what
/// it costs while neither is preempted.
void fork_join(benchmark::State& state, bool meet) {
  using Clock = std::chrono::steady_clock;
  const int before = num_threads();
  set_num_threads(2);
  std::vector<double> times;
  for (auto _ : state) {
    const auto start = Clock::now();
    std::atomic<int> here = 0;
    parallel_for(2, 1, [&](int64_t, int64_t) {
      ++here;
      for (int i = 0; i < 10000 && meet && here < 2; ++i) pause_core();
    });
    times.push_back(std::chrono::duration<double, std::nano>(Clock::now() - start).count());
  }
  set_num_threads(before);
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  state.counters["median_ns"] = *middle;
}

BENCHMARK_CAPTURE(fork_join, empty, false)->Name("fork_join/empty")->UseRealTime();
BENCHMARK_CAPTURE(fork_join, meet, true)->Name("fork_join/meet")->UseRealTime();
BENCHMARK_CAPTURE(eager_add, plain, false)->Name("eager_add/plain")->UseRealTime();
BENCHMARK_CAPTURE(eager_add, grad, true)->Name("eager_add/requires_grad")->UseRealTime();

/// The layers by themselves, for what a model costs over them.
auto bare_chain(int64_t depth) {
  return [layers = linear_layers(depth)](Tensor x) mutable {
    for (nn::Linear& layer : layers) x = layer(x);
    return x;
  };
}

void depths(benchmark::internal::Benchmark* b) { b->Arg(250)->Arg(1000)->UseRealTime(); }

BENCHMARK_CAPTURE(chain_forward, replay, linear_chain)->Name("linear_chain/forward")->Apply(depths);
BENCHMARK_CAPTURE(chain_forward, bare, bare_chain)->Name("bare_chain/forward")->Apply(depths);
BENCHMARK_CAPTURE(chain_train, replay, linear_chain)->Name("linear_chain/train")->Apply(depths);
BENCHMARK_CAPTURE(chain_forward, eager, eager_chain)->Name("eager_chain/forward")->Apply(depths);
BENCHMARK_CAPTURE(chain_train, eager, eager_chain)->Name("eager_chain/train")->Apply(depths);

}  // namespace
}  // namespace reprise_bench
