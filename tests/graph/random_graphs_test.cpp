// Random programs, eager against replay: outputs, captures, gradients and inputs have the same
// bits, and just as many random numbers were drawn.

#include "random_graphs.h"

#include <gtest/gtest.h>

#include "../../core/cuda.h"
#include "../../core/random.h"
#include "../core/fake_device.h"
#include "replay.h"

namespace reprise::test {
namespace {

constexpr int kRuns = 4;  // on a GPU the last two launch graphs

/// What one run leaves behind.
struct Outcome {
  Tensors outputs, inputs, captures;
  uint64_t drawn;

  std::string fault(const Outcome& expected) const {
    std::string fault = difference(here(outputs), here(expected.outputs));
    if (fault.empty()) fault = difference(here(inputs), here(expected.inputs), "input");
    if (fault.empty()) fault = difference(here(captures), here(expected.captures), "capture");
    if (fault.empty() && drawn != expected.drawn) fault = "other random numbers were drawn";
    return fault;
  }

 private:
  static Tensors here(const Tensors& tensors) {
    Tensors out;
    for (const Tensor& t : tensors) out.push_back(t.defined() ? t.detach().cpu() : t);
    return out;
  }
};

class Replay {
 public:
  Replay(uint64_t seed, const std::string& passes, Device device, bool has_halves)
      : f_(seed, device, has_halves),
        program_(checked_program(
            trace([this](const Tensors& in) { return f_(in, captures_); }, examples()), passes)) {}

  /// Empty when all is well.
  std::string fault() {
    std::string fault = fault_of(program_);
    for (int run = 0; run < kRuns && fault.empty(); ++run) {
      const Outcome eager = outcome(run, eager_captures_, [&](const Tensors& in) {
        eager_captures_.back().set_grad({});
        return f_(in, eager_captures_);
      });
      const Outcome replayed =
          outcome(run, captures_, [&](const Tensors& in) { return program_.call(in); });
      fault = replayed.fault(eager);
      if (!fault.empty()) fault = text("run ", run, ": ", fault);
    }
    return fault.empty() && !runs_as_it_should() ? program_.replay() : fault;
  }
  const Program& program() const { return program_; }

 private:
  std::vector<Example> examples() const {
    const Tensors in = f_.inputs(0);
    return {in.begin(), in.end()};
  }

  /// On a GPU as graphs, but for large or scattered tensors and where nothing is computed.
  bool runs_as_it_should() const {
    const std::string how = program_.replay();
    const auto says = [&](std::string_view part) { return how.find(part) != how.npos; };
    return says("CUDA graph") || !says("since") || says("would be copied") ||
           says("does not lie dense") || says("none of them is a kernel");
  }

  template <class F>
  Outcome outcome(int run, const Tensors& captures, F f) const {
    manual_seed(static_cast<uint64_t>(run) + 7);
    Outcome out;
    out.inputs = f_.inputs(run);
    out.outputs = f(out.inputs);
    out.captures = captures;
    out.captures.push_back(captures[captures.size() - 2].grad());
    out.drawn = default_generator().offset();
    return out;
  }

  RandomFunction f_;
  Tensors eager_captures_ = f_.captures(), captures_ = f_.captures();
  Program program_;
};

/// Every pass alone at times, mostly none or all of them.
std::string passes_for(uint64_t seed) {
  static const std::vector<std::string> specs = pass_specs();
  const uint64_t turn = seed % (specs.size() + 6);
  return specs[turn < specs.size() ? turn : 1];
}

void check_seed(uint64_t seed, Device device = {}, bool has_halves = true) {
  const std::string passes = passes_for(seed);
  try {
    Replay replay(seed, passes, device, has_halves);
    const std::string fault = replay.fault();
    if (fault.empty()) return;
    ADD_FAILURE() << "seed " << seed << ", passes " << passes << ", " << fault << "\n"
                  << to_string(replay.program().graph());
  } catch (const Error& error) {
    ADD_FAILURE() << "seed " << seed << ", passes " << passes << ": " << error.what();
  }
}

void check_seeds(uint64_t from, uint64_t to) {
  uint64_t seed = from;
  for (const int threads : {1, 2, 4}) {
    const Threads guard(threads);
    const uint64_t end = threads == 4 ? to : seed + (to - from) / 3;
    for (; seed < end && !testing::Test::HasFailure(); ++seed) check_seed(seed);
  }
}

void check_seeds_on_gpu(uint64_t to, bool has_halves) {
  const Threads one(1);
  for (uint64_t seed = 0; seed < to && !testing::Test::HasFailure(); ++seed) {
    check_seed(seed, Device::cuda(), has_halves);
  }
}

TEST(RandomGraphs, ReplayOnAFakeGpu) {
  const FakeDevices fake;
  check_seeds_on_gpu(200, false);  // its kernels are the CPU's, which round 16 bits elsewhere
}
TEST(RandomGraphs, ReplayOnCuda) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  check_seeds_on_gpu(60, true);
}

TEST(RandomGraphs, ReplayWithTheBitsOfEager) { check_seeds(0, 2000); }
TEST(LongRandomGraphs, ReplayWithTheBitsOfEager) { check_seeds(2000, 12000); }

}  // namespace
}  // namespace reprise::test
