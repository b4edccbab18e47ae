// Operators and fluent methods on real, symbolic and traced tensors: the same bits everywhere.

#include <limits>

#include "../../autograd/tape.h"
#include "../../core/random.h"
#include "../core/expect.h"
#include "everywhere.h"

namespace reprise {
namespace {

using test::expect_error, test::expect_tensor, test::run_everywhere;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ---- operators: a symbol beside a symbol, a tensor and numbers, on either side ----------------

/// `op` takes tensors and numbers alike.
template <class Op>
void expect_either_side(const char* name, Op op) {
  SCOPED_TRACE(name);
  manual_seed(1);
  const Tensor x = rand({3, 4}) + 0.5, y = rand({3, 4}) + 0.5, row = rand({4}) + 0.5;
  const Tensor whole = tensor({{7, -3, 4, 9}, {2, 5, -6, 1}}), divisor = tensor({3, -2, 2, 5});
  run_everywhere(
      [&](const Tensors& in) {
        return Tensors{op(in[0], in[1]), op(in[0], row), op(row, in[0]), op(in[0], 2.5),
                       op(2.5, in[0]),   op(in[0], 3),   op(3, in[0])};
      },
      {x, y});
  run_everywhere(
      [&](const Tensors& in) {
        return Tensors{op(in[0], divisor), op(in[0], 2), op(7, in[0]), op(in[0], 1.5)};
      },
      {whole});
}

TEST(Operators, TakeSymbolsTensorsAndNumbersOnEitherSide) {
  expect_either_side("+", [](const auto& a, const auto& b) { return a + b; });
  expect_either_side("-", [](const auto& a, const auto& b) { return a - b; });
  expect_either_side("*", [](const auto& a, const auto& b) { return a * b; });
  expect_either_side("/", [](const auto& a, const auto& b) { return a / b; });
  expect_either_side("%", [](const auto& a, const auto& b) { return a % b; });
  expect_either_side("<", [](const auto& a, const auto& b) { return a < b; });
  expect_either_side("<=", [](const auto& a, const auto& b) { return a <= b; });
  expect_either_side(">", [](const auto& a, const auto& b) { return a > b; });
  expect_either_side(">=", [](const auto& a, const auto& b) { return a >= b; });
  expect_either_side("==", [](const auto& a, const auto& b) { return a == b; });
  expect_either_side("!=", [](const auto& a, const auto& b) { return a != b; });
  expect_either_side("pow", [](const auto& a, const auto& b) { return pow(a, b); });
  expect_either_side("maximum", [](const auto& a, const auto& b) { return maximum(a, b); });
  expect_either_side("minimum", [](const auto& a, const auto& b) { return minimum(a, b); });
}

TEST(Operators, OfOneOperandAndProducts) {
  manual_seed(1);
  const Tensor x = randn({3, 4}), weight = randn({4, 3}), batch = randn({2, 3, 4});
  run_everywhere(
      [&](const Tensors& in) {
        return Tensors{-in[0], abs(in[0]), matmul(in[0], weight), matmul(weight.t(), in[0].t()),
                       matmul(in[0], in[0].t())};
      },
      {x});
  run_everywhere([](const Tensors& in) { return Tensors{matmul(in[0], in[0].mT())}; }, {batch});
}

// ---- remainder --------------------------------------------------------------------------------

TEST(Remainder, HasTheSignOfTheDivisor) {
  const Tensor a = tensor({5., -5., 5., -5., 7.5, -0.5, 4.});
  const Tensor b = tensor({3., 3., -3., -3., 2., 2., -2.});
  expect_tensor(a % b, tensor({2., 1., -1., -2., 1.5, 1.5, -0.}));
  expect_tensor(tensor({7, -7, 7, -7, 6}) % tensor({3, 3, -3, -3, 3}), tensor({1, 2, -2, -1, 0}));
  expect_tensor(tensor({kInf, 5., -5., 5., 0., kNan}) % tensor({2., kInf, kInf, 0., 0., 2.}),
                tensor({kNan, 5., kInf, kNan, kNan, kNan}));
  expect_tensor(tensor({7, 8, 255}).to(uint8) % 16, tensor({7, 8, 15}).to(uint8));
  expect_tensor(tensor({true, true}) % tensor({true, true}), tensor({0, 0}));
  expect_tensor(full({3}, std::numeric_limits<int64_t>::min()) % -1, tensor({0, 0, 0}));
  EXPECT_EQ((1e9 % tensor({0.1}, {.dtype = float64})).item<double>(), std::fmod(1e9, 0.1));
}

TEST(Remainder, PromotesLikeTheOthers) {
  EXPECT_EQ((tensor({5, 6}) % 2).dtype(), int64);
  EXPECT_EQ((tensor({5, 6}) % 2.5).dtype(), float32);
  EXPECT_EQ((tensor({5., 6.}) % 2).dtype(), float32);
  EXPECT_EQ((ones({3, 1}) % ones({4})).shape(), (Shape{3, 4}));
  Tensor x = tensor({5, -6, 7});
  x %= 4;
  expect_tensor(x, tensor({1, 2, 3}));
  x.remainder_(tensor({2, 2, 2}));
  expect_tensor(x, tensor({1, 0, 1}));
}

TEST(Remainder, RefusesIntegersByZeroEverywhere) {
  const Tensor x = tensor({5, 6}), zero = tensor({2, 0});
  const auto refused = [](const auto& f) {
    expect_error(f, ErrorKind::Value, {"remainder", "divisors other than 0"});
  };
  refused([&] { x % zero; });
  refused([&] { x % 0; });
  refused([&] { zero.expand({3, 2}) % zero.expand({3, 2}); });
  Tensor kept = x.clone();
  refused([&] { kept %= zero; });
  expect_tensor(kept, x);
  const Tensor a = Input({}, {.batch_shape = Shape{2}, .dtype = int64}),
               b = Input({}, {.batch_shape = Shape{2}, .dtype = int64});
  const SymbolicModel model({a, b}, (a + 1) % b * 2);
  refused([&] { model(x, zero); });
  const auto f = [](const Tensors& in) { return Tensors{(in[0] + 1) % in[1] * 2}; };
  Program program = compile(f, std::vector<Example>{x, tensor({2, 4})});  // with every pass
  refused([&] { program.call(Tensors{x, zero}); });
  EXPECT_EQ((zeros({0}, {.dtype = int64}) % 0).numel(), 0);
}

TEST(Remainder, HasTheGradientsOfPyTorch) {
  Tensor a = tensor({7., -7., 5.5}, {.requires_grad = true});
  Tensor b = tensor({3., 3., -2.}, {.requires_grad = true});
  sum(a % b * tensor({1., 10., 100.})).backward();
  expect_tensor(a.grad(), tensor({1., 10., 100.}));
  expect_tensor(b.grad(), tensor({-2., 30., 300.}));  // -floor(a / b)
}

// ---- fluent methods ---------------------------------------------------------------------------

TEST(FluentMethods, AreTheFunctions) {
  manual_seed(1);
  const Tensor x = rand({3, 4}) + 0.5, y = rand({3, 4}) + 0.5;
  const auto largest = [](const Tensor& t) { return argmax(t, 1, true); };
  using Both = std::function<Tensors(const Tensor&, const Tensor&)>;
#define ONE(method) {#method, [](auto& a, auto&) { return Tensors{a.method(), method(a)}; }},
#define TWO(method)                                                              \
  {#method, [](auto& a, auto& b) {                                               \
     return Tensors{a.method(b), method(a, b), a.method(0.75), method(a, 0.75)}; \
   }},
  const std::vector<std::pair<const char*, Both>> rows{
      ONE(neg) ONE(abs) ONE(sign) ONE(exp) ONE(log) ONE(sqrt) ONE(tanh) ONE(sigmoid) ONE(relu)
      ONE(clone) ONE(sum) ONE(mean) ONE(max) ONE(min) ONE(argmax) ONE(argmin) ONE(flatten) ONE(t)
      ONE(squeeze)
      TWO(add) TWO(sub) TWO(mul) TWO(div) TWO(remainder) TWO(pow) TWO(maximum) TWO(minimum)
      TWO(eq) TWO(ne) TWO(lt) TWO(le) TWO(gt) TWO(ge)
      {"clamp", [](auto& a, auto&) { return Tensors{a.clamp(0.6, 1), clamp(a, 0.6, 1)}; }},
      {"where", [](auto& a, auto& b) {
         const Tensor larger = a > b;
         return Tensors{a.where(larger, b), where(larger, a, b), a.where(larger, 0),
                        where(larger, a, 0)};
       }},
      {"matmul", [](auto& a, auto& b) { return Tensors{a.matmul(b.T()), matmul(a, t(b))}; }},
      {"sum of a dim", [](auto& a, auto&) { return Tensors{a.sum(1, true), sum(a, 1, true)}; }},
      {"mean of a dim", [](auto& a, auto&) { return Tensors{a.mean(0), mean(a, 0)}; }},
      {"max of a dim", [](auto& a, auto&) {
         return Tensors{a.max(1).values, max(a, 1).values, a.max(1).indices, max(a, 1).indices};
       }},
      {"min of a dim", [](auto& a, auto&) {
         return Tensors{a.min(1).values, min(a, 1).values, a.min(1).indices, min(a, 1).indices};
       }},
      {"argmin of a dim", [](auto& a, auto&) {
         return Tensors{a.argmin(1, true), argmin(a, 1, true), a.argmax(1), argmax(a, 1)};
       }},
      {"softmax", [](auto& a, auto&) { return Tensors{a.softmax(1), softmax(a, 1)}; }},
      {"log_softmax", [](auto& a, auto&) { return Tensors{a.log_softmax(1), log_softmax(a, 1)}; }},
      {"reshape", [](auto& a, auto&) { return Tensors{a.reshape({-1, 2}), reshape(a, {-1, 2})}; }},
      {"view", [](auto& a, auto&) { return Tensors{a.view({-1, 2}), view(a, {-1, 2})}; }},
      {"transpose", [](auto& a, auto&) { return Tensors{a.transpose(0, 1), transpose(a, 0, 1)}; }},
      {"T", [](auto& a, auto&) { return Tensors{a.T(), t(a)}; }},
      {"mT", [](auto& a, auto&) { return Tensors{a.mT(), transpose(a, -1, -2)}; }},
      {"permute", [](auto& a, auto&) { return Tensors{a.permute({1, 0}), permute(a, {1, 0})}; }},
      {"slice", [](auto& a, auto&) { return Tensors{a.slice(1, 1, 4, 2), slice(a, 1, 1, 4, 2)}; }},
      {"select", [](auto& a, auto&) { return Tensors{a.select(1, -1), select(a, 1, -1)}; }},
      {"expand", [](auto& a, auto&) {
         return Tensors{a.expand({2, -1, -1}), expand(a, {2, -1, -1})};
       }},
      {"unsqueeze", [](auto& a, auto&) { return Tensors{a.unsqueeze(1), unsqueeze(a, 1)}; }},
      {"gather", [&](auto& a, auto&) {
         const Tensor at = largest(a);
         return Tensors{a.gather(1, at), gather(a, 1, at)};
       }},
      {"index_select", [&](auto& a, auto&) {
         const Tensor at = largest(a);
         return Tensors{a.index_select(1, at), index_select(a, 1, at)};
       }},
      {"index", [](auto& a, auto&) { return Tensors{a.index({0}), index(a, {0})}; }},
      {"to", [](auto& a, auto&) { return Tensors{a.to(float64).to(float32), a}; }},
      {"contiguous", [](auto& a, auto&) { return Tensors{a.t().contiguous(), a.t()}; }},
      {"detach", [](auto& a, auto&) { return Tensors{a.detach(), a}; }},
      {"unbind", [](auto& a, auto&) { return Tensors{a.unbind(1)[2], unbind(a, 1)[2]}; }},
      {"split", [](auto& a, auto&) {
         return Tensors{a.split(3, 1)[1], split(a, 3, 1)[1], a.split({1, 3}, 1)[1],
                        split(a, {1, 3}, 1)[1]};
       }},
      {"chunk", [](auto& a, auto&) { return Tensors{a.chunk(2, 1)[1], chunk(a, 2, 1)[1]}; }},
  };
#undef ONE
#undef TWO
  ASSERT_GT(rows.size(), 50U);
  for (const auto& row : rows) {
    SCOPED_TRACE(row.first);
    const Both& f = row.second;
    const Tensors out = run_everywhere([&](const Tensors& in) { return f(in[0], in[1]); }, {x, y});
    for (size_t i = 0; i < out.size(); i += 2) {  // the method beside the function
      EXPECT_EQ(test::difference(out[i], out[i + 1]), "");
    }
  }
}

TEST(FluentMethods, NumelNeedsAKnownBatch) {
  EXPECT_EQ(Input({6}, {.batch_size = 2}).numel(), 12);
  expect_error([] { Input({6}).numel(); }, ErrorKind::Shape, {"batch size is not known"});
}

}  // namespace
}  // namespace reprise
