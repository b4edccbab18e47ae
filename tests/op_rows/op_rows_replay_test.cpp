// Every op row traced, optimised, planned and replayed: the bits of eager, forward and backward.

#include <gtest/gtest.h>

#include "../../autograd/engine.h"
#include "../../autograd/tape.h"
#include "../../core/cuda.h"
#include "../../core/random.h"
#include "../graph/replay.h"
#include "row.h"

namespace reprise::op_rows {
namespace {

using Function = std::function<Tensors(const Tensors&)>;

constexpr uint64_t kSeed = 5;  // what the rows that draw seed with

Tensors draw_all(const std::vector<Operand>& operands, DType real, uint64_t seed) {
  Tensors out;
  for (const Operand& o : operands) out.push_back(draw(o, real, seed + out.size()));
  return out;
}

Tensors run(const Function& f, const Tensors& in) {
  manual_seed(kSeed);
  return f(in);
}

/// The program of f, replayed on several inputs, gives what f gives.
void expect_same_bits(const Function& f, const std::vector<Tensors>& inputs,
                      const std::string& passes) {
  const Tensors& first = inputs.front();
  Program program =
      test::checked_program(trace(f, std::vector<Example>(first.begin(), first.end())), passes);
  ASSERT_EQ(test::fault_of(program), "") << passes << '\n' << to_string(program.graph());
  for (const Tensors& in : inputs) {
    const Tensors expected = run(f, in);
    const Tensors got = run([&](const Tensors& x) { return program.call(x); }, in);
    ASSERT_EQ(test::difference(got, expected), "") << passes << '\n' << to_string(program.graph());
  }
}

Tensors on_cpu(const Tensors& tensors) {
  Tensors out;
  for (const Tensor& t : tensors) out.push_back(t.defined() ? t.detach().cpu() : t);
  return out;
}

/// The same on a GPU, from the second run on by one launch.
void expect_one_graph(const Function& f, const std::vector<Tensors>& inputs,
                      const std::string& passes) {
  const Tensors& first = inputs.front();
  Program program(trace(f, std::vector<Example>(first.begin(), first.end())), {.passes = passes});
  for (const Tensors& in : inputs) {
    const Tensors expected = on_cpu(run(f, in));
    const Tensors got = on_cpu(run([&](const Tensors& x) { return program.call(x); }, in));
    ASSERT_EQ(test::difference(got, expected), "") << passes << '\n' << to_string(program.graph());
  }
  const std::string how = program.replay();
  const auto says = [&](std::string_view part) { return how.find(part) != how.npos; };
  EXPECT_TRUE(says("one CUDA graph") || says("host step") || says("none of them is a kernel"))
      << how;
}

class OpRowsReplay : public testing::TestWithParam<OpRow> {
 protected:
  Function forward() const {
    return [](const Tensors& in) {
      const NoGradGuard no_grad;
      return GetParam().f(in);
    };
  }

  /// The gradients of all outputs, unevenly weighted, with respect to all that has one.
  static Tensors gradients(const Tensors& in) {
    Tensors wanted;
    for (size_t i = 0; i < in.size(); ++i) {
      if (GetParam().operands[i].kind == Operand::Kind::real) wanted.push_back(in[i]);
    }
    Tensors outputs, weights;
    for (const Tensor& y : GetParam().f(in)) {
      if (!y.requires_grad()) continue;
      outputs.push_back(y);
      weights.push_back(weight_of(y));
    }
    return grad(outputs, wanted, {.grad_outputs = weights});
  }
  static Tensor weight_of(const Tensor& y) { return sigmoid(y.detach()) - 0.25; }

  static std::vector<Tensors> inputs(DType dtype, bool with_grad, Device device,
                                     std::initializer_list<uint64_t> seeds) {
    std::vector<Tensors> out;
    for (const uint64_t seed : seeds) {
      Tensors& in = out.emplace_back(draw_all(GetParam().operands, dtype, seed));
      for (size_t i = 0; i < in.size(); ++i) {
        in[i] = in[i].to(device);
        const bool real = GetParam().operands[i].kind == Operand::Kind::real;
        if (with_grad && real) in[i].requires_grad_();
      }
    }
    return out;
  }

  void check(const Function& f, DType dtype, bool with_grad) const {
    const std::vector<std::string> passes = test::pass_specs();
    for (size_t i = 0; i < 2; ++i) {
      std::vector<Tensors> in = inputs(dtype, with_grad, Device::cpu(), {1, 50});
      expect_same_bits(f, in, passes[i]);
      if (dtype != float32 || !to_channels_last(in)) continue;
      expect_same_bits(f, in, passes[i]);
    }
  }
  /// Whether there was anything to lay out anew.
  static bool to_channels_last(std::vector<Tensors>& inputs) {
    bool any = false;
    for (Tensors& in : inputs) {
      for (Tensor& x : in) {
        if (x.dim() != 4) continue;
        x = x.detach().to(channels_last).requires_grad_(x.requires_grad());
        any = true;
      }
    }
    return any;
  }
  void check_on_gpu(const Function& f, bool with_grad) const {
    for (const char* passes : {"", "none"}) {
      expect_one_graph(f, inputs(float32, with_grad, Device::cuda(), {1, 50, 7}), passes);
    }
  }
};

TEST_P(OpRowsReplay, GivesTheBitsOfEager) {
  for (const DType dtype : {float32, float64, float16, bfloat16}) check(forward(), dtype, false);
  for (const DType dtype : {int64, int32}) {
    if (GetParam().integers) check(forward(), dtype, false);
  }
}

TEST_P(OpRowsReplay, IsOneGraphOnCuda) {
  if (!cuda::is_available()) GTEST_SKIP() << cuda::why_not_available();
  check_on_gpu(forward(), false);
  if (GetParam().differentiable) check_on_gpu(gradients, true);
}

TEST_P(OpRowsReplay, GivesTheGradientsOfEager) {
  if (!GetParam().differentiable) GTEST_SKIP() << "not differentiable";
  for (const DType dtype : {float32, float64, float16, bfloat16}) check(gradients, dtype, true);
}

TEST_P(OpRowsReplay, GivesSameBitsForAnyNumberOfThreads) {
  const auto& sizes = GetParam().sizes;
  const Tensors in = draw_all(sizes.empty() ? GetParam().operands : sizes[1], float32, 1);
  const Tensors expected = run(forward(), in);
  Program program = compile(forward(), std::vector<Example>(in.begin(), in.end()));
  for (const int threads : {1, 2, 4}) {
    const test::Threads guard(threads);
    const Tensors got = run([&](const Tensors& x) { return program.call(x); }, in);
    ASSERT_EQ(test::difference(got, expected), "") << threads << " threads";
  }
}

INSTANTIATE_TEST_SUITE_P(All, OpRowsReplay, testing::ValuesIn(all_rows()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace reprise::op_rows
