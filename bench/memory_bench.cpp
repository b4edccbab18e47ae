// Ops that move more than they compute, on 128x64x28x28, each beside a copy that moves as many
// bytes as the op reads and writes together.

#include <benchmark/benchmark.h>
#include <reprise/reprise.h>

#include <cstring>
#include <functional>
#include <string>

namespace reprise_bench {
namespace {

using namespace reprise;

using Call = std::function<Tensors(const Tensor&)>;

int64_t bytes_of(const Tensor& t) { return static_cast<int64_t>(t.meta().nbytes()); }

/// What an op of `inputs` tensors like x reads and writes.
int64_t bytes_moved(int inputs, const Tensor& x, const Call& f) {
  int64_t bytes = inputs * bytes_of(x);
  for (const Tensor& y : f(x)) bytes += bytes_of(y);
  return bytes;
}

Tensor images() { return randn({128, 64, 28, 28}); }

void run(benchmark::State& state, int inputs, const Call& f) {
  const NoGradGuard guard;
  const Tensor x = images();
  const int64_t bytes = bytes_moved(inputs, x, f);
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
  state.SetBytesProcessed(state.iterations() * bytes);
}

/// The copy beside it, by as many threads.
void copy(benchmark::State& state, int inputs, const Call& f) {
  const NoGradGuard guard;
  const Tensor x = images();
  const int64_t moved = bytes_moved(inputs, x, f);
  const int64_t half = moved / 2 / static_cast<int64_t>(sizeof(float));
  const Tensor from = rand({half}), to = rand({half});
  const auto body = [&](int64_t begin, int64_t end) {
    std::memcpy(to.data<float>() + begin, from.data<float>() + begin,
                static_cast<size_t>(end - begin) * sizeof(float));
  };
  for (auto _ : state) {
    parallel_for(half, int64_t{1} << 18, body);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * moved);
}

void add_pair(const std::string& name, int inputs, Call f) {
  const std::string prefix = "memory/" + name;
  benchmark::RegisterBenchmark((prefix + "/op").c_str(),
                               [=](benchmark::State& s) { run(s, inputs, f); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
  benchmark::RegisterBenchmark((prefix + "/copy").c_str(),
                               [=](benchmark::State& s) { copy(s, inputs, f); })
      ->UseRealTime()
      ->Unit(benchmark::kMicrosecond);
}

const bool registered = [] {
  add_pair("max_pool2d", 1, [](const Tensor& x) {
    const auto [values, places] = max_pool2d_with_indices(x, 3);
    return Tensors{values, places};
  });
  add_pair("relu", 1, [](const Tensor& x) { return Tensors{relu(x)}; });
  add_pair("add", 2, [](const Tensor& x) {
    static const Tensor y = images();
    return Tensors{add(x, y)};
  });
  add_pair("sum", 1, [](const Tensor& x) { return Tensors{sum(x)}; });
  add_pair("softmax", 1, [](const Tensor& x) { return Tensors{softmax(x, 1)}; });
  return true;
}();

}  // namespace
}  // namespace reprise_bench
