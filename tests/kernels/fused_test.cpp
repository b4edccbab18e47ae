// Fused ops must give the bits of the single ops one after another.

#include "../../core/ops/fused_linear.h"
#include "../../core/ops/fused_loss.h"
#include "../../core/ops/index.h"
#include "../../core/ops/softmax.h"
#include "fused_programs.h"

namespace reprise::op_testing {
namespace {

// ---- random programs

void expect_random_programs_agree(uint64_t seeds) {
  const Shape shapes[] = {{3, 5}, {2, 7, 9}, {4, 33, 5, 6}, {5, 64, 300}, {1, 1}, {0, 3}};
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Programs programs(seed);
    const Tensors in = programs.inputs(shapes[seed % std::size(shapes)]);
    const Fused op = programs.program(in);
    SCOPED_TRACE(testing::Message() << "seed " << seed << ": " << Model<Fused>(op).text());
    const Tensors got = run(op, in);
    expect_same(got, run_singly(op, in));
    if (seed % 8 == 3) expect_same_on_threads([&] { return run(op, in); });
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Fused, RandomProgramsHaveTheBitsOfTheSingleOps) {
  on_every_isa([] { expect_random_programs_agree(400); });
}

// ---- particular programs

TEST(Fused, ReadsAsText) {
  const Fused op{{{op_ref<Add>(), {0, 1}}, {op_ref(Copy{float32}), {2}}}, {3}};
  EXPECT_EQ(Model<Fused>(op).text(),
            "fused {steps=[add(0, 1), copy {dtype=float32}(2)], results=[3]}");
}

TEST(Fused, ComparesStepsAndResults) {
  const Fused op{{{op_ref<Add>(), {0, 1}}}, {2}};
  EXPECT_TRUE(Model<Fused>(op).equals(Model<Fused>({{{op_ref<Add>(), {0, 1}}}, {2}})));
  EXPECT_FALSE(Model<Fused>(op).equals(Model<Fused>({{{op_ref<Sub>(), {0, 1}}}, {2}})));
  EXPECT_FALSE(Model<Fused>(op).equals(Model<Fused>({{{op_ref<Add>(), {1, 0}}}, {2}})));
  EXPECT_FALSE(Model<Fused>(op).equals(
      Model<Fused>({{{op_ref<Add>(), {0, 1}}, {op_ref<Neg>(), {2}}}, {2}})));
}

TEST(Fused, RefusesWhatIsNoStraightLine) {
  const Tensor x = sample({3});
  const auto refuses = [&](const Fused& op, const Tensors& in) {
    EXPECT_THROW(run(op, in), Error) << Model<Fused>(op).text();
  };
  refuses({{{op_ref<Add>(), {0, 2}}}, {1}}, {x});               // a later operand
  refuses({{{op_ref<Add>(), {0}}}, {1}}, {x});                  // one operand too few
  refuses({{{op_ref<Neg>(), {0}}}, {0}}, {x});                  // an input as a result
  refuses({{{op_ref<Neg>(), {0}}}, {1, 1}}, {x});               // a result twice
  refuses({{{op_ref<Neg>(), {0}}}, {}}, {x});                   // no result
  refuses({{}, {}}, {x});                                       // no step
  refuses({{{op_ref(Linear{}), {0, 0}}}, {1}}, {x});            // not elementwise
  refuses({{{op_ref<Add>(), {0, 1}}}, {2}}, {x, sample({4})});  // two shapes
  refuses({{{op_ref<Add>(), {0, 1}}}, {2}}, {x, sample({3}, float64)});
  refuses({{{op_ref<Remainder>(), {0, 1}}}, {2}}, {ones({3}).to(int32), zeros({3}).to(int32)});
}

/// Runs the kernel with output 0 in the memory of input `k`, which is dense.
Tensors run_over(const Fused& op, Tensors in, size_t k) {
  in[k] = clone(in[k]);
  Metas metas;
  for (const Tensor& x : in) metas.push_back(x.meta());
  const Metas made = op.infer(metas);
  Tensors out{in[k]};
  for (size_t i = 1; i < made.size(); ++i) {
    out.push_back(empty(made[i].shape, {.dtype = made[i].dtype}));
  }
  std::vector<View> views;
  for (const Tensor& t : in) views.push_back({t.raw_data(), &t.meta()});
  for (const Tensor& t : out) views.push_back({t.raw_data(), &t.meta()});
  const std::span<const View> all = views;
  op.cpu({.in = all.first(in.size()),
          .out = all.subspan(in.size()),
          .workspace = nullptr,
          .stream = {}});
  return out;
}

TEST(Fused, MayWriteItsFirstResultOverAnInput) {
  for (const int64_t n : {5, 3000, 70000}) {
    const Tensors in{sample({n}, float32, 1), sample({n}, float32, 2)};
    const Fused late{{{op_ref<Mul>(), {0, 1}}, {op_ref<Add>(), {2, 0}}}, {3}};
    const Fused early{{{op_ref<Mul>(), {0, 1}}, {op_ref<Add>(), {2, 0}}}, {2, 3}};  // 0 read after
    const Fused again{{{op_ref<Neg>(), {1}}, {op_ref<Sub>(), {1, 0}}}, {2, 3}};
    for (const Fused& op : {late, early, again}) {
      for (const size_t k : {size_t{0}, size_t{1}}) {
        expect_same(run_over(op, in, k), run_singly(op, in));
      }
    }
  }
}

TEST(Fused, TakesAsManyStepsInputsAndResultsAsItSays) {
  Tensors in;
  for (size_t i = 0; i < kMostFusedInputs; ++i) in.push_back(sample({5, 7}, float64, i));
  for (Tensor& x : in) x = expand(slice(x, 0, 0, 1), {5, 7});
  Fused op;
  for (size_t i = 0; i < kMostFusedSteps; ++i) {
    const auto last = static_cast<int64_t>(i + kMostFusedInputs) - 1;
    op.steps.push_back({op_ref<Add>(), {last, static_cast<int64_t>(i % kMostFusedInputs)}});
  }
  for (size_t i = 0; i < kMostFusedResults; ++i) {
    op.results.push_back(static_cast<int64_t>(kMostFusedInputs + kMostFusedSteps - 1 - 2 * i));
  }
  expect_same(run(op, in), run_singly(op, in));
  op.steps.push_back(op.steps.back());
  EXPECT_THROW(run(op, in), Error);
}

// ---- linear and loss

TEST(FusedLinear, HasTheBitsOfTheSingleOps) {
  const Shape sizes[] = {{1, 4, 4},    {4, 4, 4},     {4, 64, 256},   {33, 65, 1},
                         {2, 300, 77}, {64, 9, 1000}, {130, 700, 96}, {5, 0, 3}};
  for (const DType dtype : {float32, float64}) {
    for (const Shape& s : sizes) {
      const Tensor x = sample({s[0], s[1]}, dtype, 1), w = sample({s[2], s[1]}, dtype, 2);
      const Tensor b = sample({s[2]}, dtype, 3), y = linear(x, w, b);
      const auto fused = [&](Activation activation) {
        return apply(FusedLinear{activation}, x, w, b);
      };
      on_every_isa([&] {
        const Tensor plain = linear(x, w, b);
        expect_same_bits(fused(Activation::none), plain);
        expect_same_bits(fused(Activation::relu), relu(plain));
        expect_same_bits(fused(Activation::tanh), tanh(plain));
        expect_same_bits(fused(Activation::sigmoid), sigmoid(plain));
        expect_same_bits(fused(Activation::gelu), gelu(plain));
        expect_same_bits(fused(Activation::gelu_tanh), gelu(plain, "tanh"));
      });
      expect_same_on_threads([&] { return Tensors{fused(Activation::tanh)}; });
    }
  }
}

TEST(FusedLinear, GivesTheLinearResultToo) {
  for (const DType dtype : {float32, float64}) {
    for (const Shape& s : {Shape{4, 64, 256}, Shape{33, 65, 1}, Shape{130, 700, 96}, {5, 0, 3}}) {
      const Tensor x = sample({s[0], s[1]}, dtype, 1), w = sample({s[2], s[1]}, dtype, 2);
      const Tensor b = sample({s[2]}, dtype, 3);
      on_every_isa([&] {
        const Tensor plain = linear(x, w, b);
        const FusedLinear op{Activation::gelu_tanh, true};
        const Tensors both = dispatch(reprise::Model(op), Tensors{x, w, b});
        expect_same_bits(both[0], gelu(plain, "tanh"));
        expect_same_bits(both[1], plain);
      });
    }
  }
}

TEST(FusedLinearInputGrad, HasTheBitsOfTheSingleOps) {
  const Shape sizes[] = {{1, 4, 4},     {4, 64, 256},   {33, 65, 1}, {2, 300, 77},
                         {64, 9, 1000}, {130, 700, 96}, {5, 0, 3},   {40, 30, 2}};
  for (const DType dtype : {float32, float64}) {
    for (const Shape& s : sizes) {
      const Tensor gy = sample({s[0], s[1]}, dtype, 1), w = sample({s[1], s[2]}, dtype, 2);
      const Tensor saved = clone(sample({s[0], s[2]}, dtype, 3));
      for (const double special : {0.0, -0.0, std::nan("")})
        flatten(saved)[saved.numel() / 3 + (std::signbit(special) ? 1 : 0)].fill_(special);
      const auto fused = [&](Activation activation) {
        return apply(FusedLinearInputGrad{activation}, gy, w, saved);
      };
      on_every_isa([&] {
        const Tensor plain = matmul(gy, w);
        expect_same_bits(fused(Activation::relu), apply(ReluGrad{}, plain, saved));
        expect_same_bits(fused(Activation::gelu), apply(GeluGrad{}, plain, saved));
        expect_same_bits(fused(Activation::gelu_tanh), apply(GeluTanhGrad{}, plain, saved));
      });
      expect_same_on_threads([&] { return Tensors{fused(Activation::gelu)}; });
    }
  }
}

TEST(LogSoftmaxGatherGrad, HasTheBitsOfTheSingleOps) {
  const Shape shapes[] = {{4, 10}, {700, 33}, {3, 10, 5}, {2, 7, 65, 3}, {1, 1}, {5, 1, 4}};
  for (const DType dtype : {float32, float64}) {
    for (const Shape& shape : shapes) {
      const Tensor y = log_softmax(sample(shape, dtype), 1);
      Shape one = shape;
      one[1] = 1;
      const Tensor g = sample(one, dtype, 5);
      const Tensor index = (rand(one) * static_cast<double>(shape[1])).to(int64);
      on_every_isa([&] {
        const Tensor gy = apply(GatherGrad{1, shape}, g, index);
        const Tensor expected = gy - exp(y) * sum(gy, {1}, true);
        expect_same_bits(apply(SoftmaxGrad{1, true}, y, gy), expected);  // from which it is fused
        expect_same_bits(apply(LogSoftmaxGatherGrad{1}, y, index, g), expected);
        const Tensor apart = transpose(transpose(y, 0, 1).contiguous(), 0, 1);
        expect_same_bits(apply(LogSoftmaxGatherGrad{1}, apart, index, g), expected);
      });
    }
  }
}

TEST(LogSoftmaxGatherGrad, RefusesIndicesOutside) {
  const Tensor y = sample({2, 3}), g = sample({2, 1});
  for (const int64_t wrong : {-1, 3}) {
    const Tensor index = tensor({0.0, static_cast<double>(wrong)}).to(int64).reshape({2, 1});
    EXPECT_THROW(apply(LogSoftmaxGatherGrad{1}, y, index, g), Error);
  }
}

}  // namespace
}  // namespace reprise::op_testing
