// Fused lines on the device must give the bits of the single ops one after another, whether they
// are compiled or read step by step.

#include "../fused_programs.h"

#include "../../core/on_device.h"

namespace reprise::op_testing {
namespace {

using CudaFused = test::OnDevice<>;

void expect_same_values(const Tensors& got, const Tensors& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].dtype(), expected[i].dtype());
    expect_same_bits(got[i].cpu(), expected[i].cpu());
  }
}

TEST_F(CudaFused, RandomProgramsHaveTheBitsOfTheSingleOps) {
  const Shape shapes[] = {{3, 5}, {2, 7, 9}, {4, 33, 5, 6}, {5, 8, 300}, {1, 1}, {0, 3}, {16, 64}};
  for (uint64_t seed = 0; seed < 140; ++seed) {
    Programs programs(seed);
    const Tensors in = programs.inputs(shapes[seed % std::size(shapes)], Device::cuda());
    const Fused op = programs.program(in);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ": " << Model<Fused>(op).text());
    expect_same_values(run(op, in), run_singly(op, in));
    if (HasFailure()) return;
  }
}

TEST_F(CudaFused, TakesTailsAndWhatIsNotAligned) {
  const Fused op{{{op_ref<Mul>(), {0, 1}}, {op_ref<Tanh>(), {2}}, {op_ref<Add>(), {3, 0}}}, {4, 3}};
  for (const int64_t n : {1, 2, 3, 4, 5, 1023, 4096, 4099, 70001}) {
    for (const int64_t shift : {0, 1}) {
      const Tensor x = sample({n + shift}, float32, 1).cuda(), y = sample({n}, float32, 2).cuda();
      const Tensors in{slice(x, 0, shift), y};
      expect_same_values(run(op, in), run_singly(op, in));
    }
  }
}

TEST_F(CudaFused, TakesBroadcastOperands) {
  const Fused op{{{op_ref<Mul>(), {0, 1}}, {op_ref<Add>(), {3, 2}}, {op_ref<Relu>(), {4}}}, {5}};
  for (const Shape& shape : {Shape{2, 8, 4, 4}, Shape{2, 5, 3, 3}, Shape{64, 12}}) {
    Shape channels = Shape::filled(shape.dim(), 1);
    channels[1] = shape[1];
    const Tensor x = sample(shape, float32, 1).cuda();
    const Tensor scale = expand(sample(channels, float32, 2).cuda(), shape);
    const Tensor shift = expand(sample(channels, float32, 3).cuda(), shape);
    const Tensor columns = expand(sample({1}, float32, 4).cuda(), shape);
    for (const Tensors& in : {Tensors{x, scale, shift}, Tensors{x, columns, scale},
                              Tensors{transpose(x, 0, 0), x, columns}}) {
      expect_same_values(run(op, in), run_singly(op, in));
    }
  }
}

TEST_F(CudaFused, RoundsEveryStepOf16Bits) {
  const Fused op{{{op_ref<Mul>(), {0, 1}},          // 3
                  {op_ref<Tanh>(), {3}},            // 4
                  {op_ref<Gt>(), {4, 0}},           // 5
                  {op_ref<Where>(), {5, 1, 4}},     // 6
                  {op_ref(Copy{float64}), {6}},     // 7
                  {op_ref<Div>(), {7, 2}},          // 8
                  {op_ref(Copy{float16}), {8}},     // 9
                  {op_ref(Copy{bfloat16}), {8}},    // 10
                  {op_ref(Copy{int32}), {9}},       // 11
                  {op_ref<Add>(), {9, 9}},          // 12
                  {op_ref(Copy{bfloat16}), {12}}},  // 13
                 {4, 6, 10, 11, 12, 13}};
  for (const DType dtype : {float16, bfloat16}) {
    for (const int64_t n : {5, 4099}) {
      const Tensors in{sample({n}, dtype, 1).cuda(), sample({n}, dtype, 2).cuda(),
                       (sample({n}, float64, 3) + 3).cuda()};
      expect_same_values(run(op, in), run_singly(op, in));
    }
  }
}

/// Output 0 in the memory of input `k`, which is dense.
Tensors run_over(const Fused& op, Tensors in, size_t k) {
  in[k] = clone(in[k]);
  Metas metas;
  for (const Tensor& x : in) metas.push_back(x.meta());
  const Metas made = op.infer(metas);
  Tensors out{in[k]};
  for (size_t i = 1; i < made.size(); ++i) {
    out.push_back(empty(made[i].shape, {.dtype = made[i].dtype, .device = Device::cuda()}));
  }
  std::vector<View> views;
  for (const Tensor& t : in) views.push_back({t.raw_data(), &t.meta()});
  for (const Tensor& t : out) views.push_back({t.raw_data(), &t.meta()});
  const std::span<const View> all = views;
  op.cuda({.in = all.first(in.size()),
           .out = all.subspan(in.size()),
           .workspace = nullptr,
           .stream = {}});
  cuda::synchronize();
  return out;
}

TEST_F(CudaFused, MayWriteItsFirstResultOverAnInput) {
  for (const int64_t n : {5, 3000, 70000}) {
    const Tensors in{sample({n}, float32, 1).cuda(), sample({n}, float32, 2).cuda()};
    const Fused late{{{op_ref<Mul>(), {0, 1}}, {op_ref<Add>(), {2, 0}}}, {3}};
    const Fused early{{{op_ref<Mul>(), {0, 1}}, {op_ref<Add>(), {2, 0}}}, {2, 3}};  // 0 read after
    for (const Fused& op : {late, early}) {
      for (const size_t k : {size_t{0}, size_t{1}}) {
        expect_same_values(run_over(op, in, k), run_singly(op, in));
      }
    }
  }
}

TEST_F(CudaFused, TakesAsManyStepsInputsAndResultsAsItSays) {
  Tensors in;
  for (size_t i = 0; i < kMostFusedInputs; ++i) in.push_back(sample({5, 7}, float64, i).cuda());
  for (Tensor& x : in) x = expand(slice(x, 0, 0, 1), {5, 7});
  Fused op;
  for (size_t i = 0; i < kMostFusedSteps; ++i) {
    const auto last = static_cast<int64_t>(i + kMostFusedInputs) - 1;
    op.steps.push_back({op_ref<Add>(), {last, static_cast<int64_t>(i % kMostFusedInputs)}});
  }
  for (size_t i = 0; i < kMostFusedResults; ++i) {
    op.results.push_back(static_cast<int64_t>(kMostFusedInputs + kMostFusedSteps - 1 - 2 * i));
  }
  expect_same_values(run(op, in), run_singly(op, in));
}

/// All steps are alive until the end, so as many registers are needed as there can be.
TEST_F(CudaFused, KeepsEveryStep) {
  Fused op;
  for (int64_t i = 0; i < 16; ++i) op.steps.push_back({op_ref<Neg>(), {i}});
  for (int64_t i = 0; i < 15; ++i)
    op.steps.push_back({op_ref<Sub>(), {16 + i, i == 0 ? 31 : 31 + i}});
  op.results = {46};
  Tensors in;
  for (size_t i = 0; i < 16; ++i) in.push_back(sample({300}, float32, i).cuda());
  expect_same_values(run(op, in), run_singly(op, in));
}

}  // namespace
}  // namespace reprise::op_testing
