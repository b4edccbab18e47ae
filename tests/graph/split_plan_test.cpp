// Compiled models with C++ code between their layers: what is a program, what runs each time, and
// that bits, gradients and errors are those of the model layer by layer.

#include "../../graph/split_plan.h"

#include "../../core/random.h"
#include "../../graph/model.h"
#include "../../layers/nn.h"
#include "../core/expect.h"
#include "../layers/helpers.h"

namespace reprise {
namespace {

using test::error_of, test::expect_equal;

int count_of(const std::string& text, std::string_view piece) {
  int count = 0;
  for (size_t at = 0; (at = text.find(piece, at)) != std::string::npos; ++at) ++count;
  return count;
}

/// Scales by 1 over the largest value, which it reads.
struct Scale : nn::Layer<Scale> {
  Tensor forward(const Tensor& x) {
    if (!x.has_data()) return x * 1;
    return x * (1 / (x.abs().max().item<double>() + 1));
  }
};

/// Two layers, a function, two layers, a layer that reads values, one layer.
struct Mixed {
  explicit Mixed(int* calls) {
    manual_seed(3);
    const Tensor x = Input({6});
    Tensor y = nn::Linear(6, 8)(x)(nn::BatchNorm1d(8))(nn::ReLU());
    const auto [z, count] = add_to_graph(
        [calls](const Tensor& t) {
          ++*calls;
          return std::pair<Tensor, int64_t>(t * t, t.size(0));
        },
        y);
    const auto half = count / 2;
    y = nn::Linear(8, 8)(z)(nn::Dropout(0.25))(nn::Tanh()) + y;
    y = nn::Linear(8, 3)(Scale()(y));
    model = std::make_unique<SymbolicModel>(x, SymbolicTensors{y, half, z});
  }
  std::unique_ptr<SymbolicModel> model;
};

TEST(SplitPlan, CompiledAndNotHaveTheSameBitsGradientsAndSideEffects) {
  int plain_calls = 0, compiled_calls = 0;
  const Mixed plain(&plain_calls), compiled(&compiled_calls);
  compiled.model->compile();
  plain_calls = compiled_calls = 0;
  for (int step = 0; step < 4; ++step) {
    const Tensor x = randn({2 * step + 2, 6});
    const auto run = [&](SymbolicModel& model) {
      manual_seed(static_cast<uint64_t>(step));
      model.train(step != 2);
      model.zero_grad();
      auto out = model.call<std::tuple<Tensor, int64_t, Tensor>>(x);
      (sum(std::get<0>(out)) + sum(std::get<2>(out) * 2)).backward();
      return out;
    };
    const auto a = run(*plain.model), b = run(*compiled.model);
    expect_equal(std::get<0>(a), std::get<0>(b));
    expect_equal(std::get<2>(a), std::get<2>(b));
    EXPECT_EQ(std::get<1>(b), step + 1);
    const auto p = plain.model->parameters(), q = compiled.model->parameters();
    for (size_t i = 0; i < p.size(); ++i) expect_equal(p[i].grad(), q[i].grad());
    for (size_t i = 0; i < plain.model->buffers().size(); ++i) {
      expect_equal(plain.model->buffers()[i], compiled.model->buffers()[i]);
    }
  }
  EXPECT_EQ(plain_calls, 4);
  EXPECT_EQ(compiled_calls, 4);
  const std::string report = compiled.model->compile_report();
  EXPECT_EQ(count_of(report, "parts between C++ code (Lambda_1, Div_1)\n"), 1) << report;
  EXPECT_EQ(count_of(report, "parts between C++ code (Scale_1)\n"), 1) << report;
  EXPECT_EQ(count_of(report, "layer by layer"), 0) << report;
  EXPECT_GE(count_of(report, "backward of"), 3) << report;
  compiled.model->decompile();
  EXPECT_EQ(compiled.model->compile_report(), "SymbolicModel: not compiled\n");
}

TEST(SplitPlan, APlanInPartsReadsAndGivesWhatTheWholeOneDid) {
  const Tensor a = Input({2}), b = Input({2});
  const Tensor c = a + b, d = add_to_graph([](const Tensor&x) { return x * 2; }, c);
  const Tensor e = relu(d) * a, f = e - c;
  const SymbolicModel model({a, b}, {f, c, a, e, f});
  std::vector<std::pair<size_t, size_t>> parts;
  const detail::ReplayPlan split =
      split_plan(model.plan(), detail::host_steps(model.plan()), [&](detail::ReplayPlan part) {
        parts.emplace_back(part.input_count, part.outputs.size());
        struct Run final : Callable {
          detail::ReplayPlan plan;
          std::string name() const override { return "run"; }
          Tensors call(std::span<const Tensor> in) override { return replay(plan, in); }
          std::shared_ptr<Callable> copy() const override { return std::make_shared<Run>(*this); }
        };
        auto run = std::make_shared<Run>();
        run->plan = std::move(part);
        return run;
      });
  EXPECT_EQ(parts, (std::vector<std::pair<size_t, size_t>>{{2, 1}, {3, 2}}));
  EXPECT_EQ(split.steps.size(), 3u);
  const Tensors in{randn({3, 2}), randn({3, 2})};
  const Tensors expected = model.outputs(in[0], in[1]), got = replay(split, in);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) expect_equal(got[i], expected[i]);
}

TEST(SplitPlan, ErrorsNameTheLayerAsBefore) {
  const Tensor x = Input({4});
  const Tensor y = add_to_graph([](const Tensor& t) { return t.slice(1, 0, 3); }, x);
  Tensor z = nn::Linear(3, 2)(nn::ReLU()(y));
  const Tensor bad = add_to_graph(
      [](const Tensor& t) -> Tensor {
        check(!t.has_data(), ErrorKind::Value, "not today");
        return t;
      },
      z);
  SymbolicModel model(x, nn::ReLU()(bad));
  model.compile();
  EXPECT_EQ(error_of([&] { model(ones({1, 4})); }), "Lambda_2: not today");
  EXPECT_EQ(error_of([&] {
              model(ones({1, 5}));
            }),
            "SymbolicModel: expected input 0 of float32 (None, 4), got float32 (1, 5)");
}

TEST(SplitPlan, ANestedModelWithCodeIsAHostStep) {
  const Tensor i = Input({2}), x = Input({2});
  int calls = 0;
  const auto count = [&calls](const Tensor& t) {
    ++calls;
    return t + 1;
  };
  const SymbolicModel inner(i, relu(add_to_graph(count, i * 2)));
  SymbolicModel model(x, inner(x * 3) * 5);
  model.compile();
  calls = 0;
  for (int run = 1; run <= 3; ++run) {
    expect_equal(model(ones({1, 2})), full({1, 2}, 35.0));
    EXPECT_EQ(calls, run);
  }
}

}  // namespace
}  // namespace reprise
