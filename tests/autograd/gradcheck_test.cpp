#include "../../autograd/gradcheck.h"

#include "../../autograd/function.h"
#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

/// x * b with a gradient that is wrong for one element of b, or for the second derivative.
struct Faulty {
  bool first_order;
  static constexpr std::string_view name = "faulty";
  Tensor forward(Context& ctx, const Tensor& x, const Tensor& b) const {
    ctx.save_for_backward({x, b});
    return x * b;
  }
  Tensors backward(const Context& ctx, const Tensors& gy) const {
    const Tensors saved = ctx.saved_tensors();
    if (!first_order) return {gy[0] * saved[1].detach(), gy[0] * saved[0]};
    Tensor fault = ones_like(saved[0]);
    fault.data<double>()[3] = 1.5;
    return {gy[0] * saved[1], gy[0] * saved[0] * fault};
  }
};

const auto faulty_first = [](const Tensors& in) { return apply(Faulty{true}, in[0], in[1]); };
const auto faulty_second = [](const Tensors& in) { return apply(Faulty{false}, in[0], in[1]); };

Tensors two_inputs() {
  return {leaf({1, 2, 3, 4}).detach().view({2, 2}).requires_grad_(),
          leaf({5, 6, 7, 8}).detach().view({2, 2}).requires_grad_()};
}

TEST(Gradcheck, AcceptsWhatIsRight) {
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return in[0] * in[1]; }, two_inputs()));
  EXPECT_TRUE(gradcheck(
      [](const Tensors& in) {
        return Tensors{in[0] + in[1], exp(in[0])};
      },
      {leaf({0.1, 0.2}), leaf({0.3, 0.4})}));
  EXPECT_TRUE(gradgradcheck([](const Tensors& in) { return tanh(in[0]) * in[1]; },
                            {leaf({0.1, 0.2}), leaf({0.3, 0.4})}, {leaf({2, -1})}));
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return matmul(in[0], in[1]); }, two_inputs(),
                        {.rtol = 1e-6}));
}

TEST(Gradcheck, NamesOutputInputElementAndBothNumbers) {
  const std::string text = error_of([] { gradcheck(faulty_first, two_inputs()); });
  EXPECT_HAS(text,
             "gradcheck: output 0 at [1, 1], input 1 at [1, 1]: analytical 6, numerical 3.99999");
  EXPECT_FALSE(gradcheck(faulty_first, two_inputs(), {.raise_exception = false}));
}

TEST(Gradgradcheck, FindsWhatGradcheckCannot) {
  EXPECT_TRUE(gradcheck(faulty_second, two_inputs()));
  EXPECT_HAS(error_of([] { gradgradcheck(faulty_second, two_inputs()); }),
             "gradgradcheck: output 0");
  EXPECT_FALSE(gradgradcheck(faulty_second, two_inputs(), {}, {.raise_exception = false}));
}

TEST(Gradcheck, FindsAWayThatIsMissing) {
  EXPECT_HAS(error_of([] {
               gradcheck([](const Tensors& in) { return in[0].detach() * 3; }, {leaf({1})});
             }),
             "analytical 0, numerical 2.99999");
}

TEST(Gradcheck, TakesAnyStrides) {
  const Tensor transposed = arange(6, {.dtype = float64}).reshape({2, 3}).t().requires_grad_();
  const Tensor expanded = tensor(Values{1, 2}, {.dtype = float64}).expand({3, 2}).requires_grad_();
  const auto f = [](const Tensors& in) { return in[0] * in[1] * in[1]; };
  EXPECT_TRUE(gradcheck(f, {transposed, expanded}));
  EXPECT_TRUE(gradgradcheck(f, {transposed, expanded}));
  EXPECT_EQ(values(expanded), (Values{1, 2, 1, 2, 1, 2}));
}

TEST(Gradcheck, ReachesTensorsThatTheFunctionHolds) {  // the parameters of a layer
  const Tensor w = leaf({3, 4}), x = leaf({1, 2});
  EXPECT_TRUE(gradcheck([&](const Tensors& in) { return in[0] * w * w; }, {x, w}));
}

TEST(Gradcheck, IgnoresInputsWithoutGrad) {
  const Tensor x = leaf({3}), mask = ones({1}, {.dtype = bool_});
  EXPECT_TRUE(gradcheck([](const Tensors& in) { return where(in[1], in[0] * 2, 0); }, {x, mask}));
}

TEST(Gradcheck, RefusesWhatItCannotMeasure) {
  const auto f = [](const Tensors& in) { return in[0] * 2; };
  const Tensor single = ones({1}, {.requires_grad = true});
  EXPECT_HAS(error_of([&] { gradcheck(f, {single}); }, ErrorKind::DType), "float64");
  EXPECT_HAS(error_of([&] { gradcheck(f, {ones({1})}); }, ErrorKind::Value), "requires grad");
}

TEST(Gradcheck, FindsAGradientThatChangesFromRunToRun) {
  int calls = 0;
  const auto f = [&](const Tensors& in) {
    const Tensor y = in[0] * 2;
    y.register_hook([&](const Tensor& g) { return g * (1 + 1e-9 * ++calls); });
    return y;
  };
  EXPECT_HAS(error_of([&] { gradcheck(f, {leaf({1})}); }), "not deterministic");
  EXPECT_TRUE(gradcheck(f, {leaf({1})}, {.nondet_tol = 1e-6}));
}

}  // namespace
}  // namespace reprise
