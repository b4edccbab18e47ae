// Every row of tests/op_rows at its small, medium and large size: forward, without a tape; and the
// small one as a program.

#include <benchmark/benchmark.h>

#include <memory>

#include "../autograd/tape.h"
#include "../graph/program.h"
#include "../tests/op_rows/row.h"

namespace reprise_bench {
namespace {

using namespace reprise;
using op_rows::OpRow;

constexpr const char* kSizes[] = {"small", "medium", "large"};

Tensors draw(const std::vector<op_rows::Operand>& operands) {
  Tensors out;
  for (size_t i = 0; i < operands.size(); ++i) {
    out.push_back(op_rows::draw(operands[i], float32, i + 1));
  }
  return out;
}

int64_t bytes_of(const Tensors& tensors) {
  int64_t bytes = 0;
  for (const Tensor& t : tensors) {
    if (t.defined()) bytes += static_cast<int64_t>(t.meta().nbytes());
  }
  return bytes;
}

/// The operands of the benchmark that runs now: drawing them takes longer than timing it.
const Tensors& operands_of(const OpRow& row, size_t size) {
  static std::string last;
  static Tensors operands;
  const std::string wanted = row.name + kSizes[size];
  if (wanted != last) operands = draw(row.sizes[size]);
  last = wanted;
  return operands;
}

void run(benchmark::State& state, const OpRow& row, size_t size) {
  const NoGradGuard guard;
  const Tensors& in = operands_of(row, size);
  const int64_t bytes = bytes_of(in) + bytes_of(row.f(in));
  for (auto _ : state) benchmark::DoNotOptimize(row.f(in));
  state.SetBytesProcessed(state.iterations() * bytes);
}

void run_program(benchmark::State& state, const OpRow& row) {
  const NoGradGuard guard;
  const Tensors& in = operands_of(row, 0);
  Program program = compile(row.f, std::vector<Example>(in.begin(), in.end()));
  const Tensors out = program.call(in);
  for (auto _ : state) program.run(in, out);
}

const bool registered = [] {
  for (OpRow& row : op_rows::all_rows()) {
    const auto shared = std::make_shared<const OpRow>(std::move(row));
    for (size_t size = 0; size < shared->sizes.size(); ++size) {
      const std::string name = "op/" + shared->name + "/" + kSizes[size];
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        run(state, *shared, size);
      })->UseRealTime();
    }
    if (shared->sizes.empty()) continue;
    const auto replayed = [=](benchmark::State& state) { run_program(state, *shared); };
    benchmark::RegisterBenchmark(("program/op/" + shared->name + "/small").c_str(), replayed)
        ->UseRealTime();
  }
  return true;
}();

}  // namespace
}  // namespace reprise_bench
