// reprise-bench [--threads=N] [--cuda [--tiny]] [options of Google Benchmark]. Threads: default all
// cores; --cuda: the benchmarks of the first CUDA device too; --tiny: of sizes that only show that
// they run.

#include <benchmark/benchmark.h>
#include <reprise/reprise.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "cuda_bench.h"

namespace {

/// Takes `flag` off the command line; whether it was there.
bool take_flag(int& argc, char** argv, std::string_view flag) {
  const auto end = std::remove(argv + 1, argv + argc, flag);
  const bool found = end != argv + argc;
  argc = static_cast<int>(end - argv);
  return found;
}

/// Takes --threads=N off the command line; false when N is no number of threads.
bool take_threads(int& argc, char** argv) {
  constexpr std::string_view option = "--threads=";
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(option)) {
      argv[kept++] = argv[i];
      continue;
    }
    const int threads = std::atoi(argv[i] + option.size());
    if (threads < 1) return false;
    reprise::set_num_threads(threads);
  }
  argc = kept;
  return true;
}

}  // namespace

int main(int argc, char** argv) try {
  if (!take_threads(argc, argv)) {
    std::cerr << "reprise-bench: --threads expects a number of at least 1\n";
    return 2;
  }
  const bool tiny = take_flag(argc, argv, "--tiny");
  if (take_flag(argc, argv, "--cuda")) {
    if (!reprise::cuda::is_available()) {
      std::cerr << "reprise-bench: " << reprise::cuda::why_not_available() << '\n';
      return 1;
    }
    reprise_bench::register_cuda_benchmarks(tiny);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  reprise::manual_seed(1);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
} catch (const reprise::Error& error) {
  std::cerr << "reprise-bench: " << error.what() << '\n';
  return 1;
}
