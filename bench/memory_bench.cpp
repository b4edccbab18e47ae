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

int64_t bytes_of(const Tensor& t) { return static_cast<int64_t>(t.meta().nbytes()); }

Tensor images() { return randn({128, 64, 28, 28}); }

void run(benchmark::State& state, int inputs, const std::function<Tensor(const Tensor&)>& f) {
  const NoGradGuard guard;
  const Tensor x = images();
  const int64_t bytes = inputs * bytes_of(x) + bytes_of(f(x));
  for (auto _ : state) benchmark::DoNotOptimize(f(x));
  state.SetBytesProcessed(state.iterations() * bytes);
}

/// The copy beside it; the library's own copy, which takes the same number of threads.
void copy(benchmark::State& state, int inputs, const std::function<Tensor(const Tensor&)>& f) {
  const NoGradGuard guard;
  const Tensor x = images();
  const int64_t moved = inputs * bytes_of(x) + bytes_of(f(x));
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

void add_pair(const std::string& name, int inputs, std::function<Tensor(const Tensor&)> f) {
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
  add_pair("max_pool2d", 1, [](const Tensor& x) { return max_pool2d(x, 3); });
  add_pair("relu", 1, [](const Tensor& x) { return relu(x); });
  add_pair("add", 2, [](const Tensor& x) {
    static const Tensor y = images();
    return add(x, y);
  });
  add_pair("sum", 1, [](const Tensor& x) { return sum(x); });
  add_pair("softmax", 1, [](const Tensor& x) { return softmax(x, 1); });
  return true;
}();

}  // namespace
}  // namespace reprise_bench
