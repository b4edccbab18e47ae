#include "../../autograd/function.h"

#include "../../autograd/gradcheck.h"
#include "test_ops.h"

namespace reprise {
namespace {

using namespace test;

struct Power {
  double exponent;
  static constexpr std::string_view name = "power";
  Tensor forward(Context& ctx, const Tensor& x) const {
    ctx.save_for_backward({x});
    return pow(x, exponent);
  }
  Tensors backward(const Context& ctx, const Tensors& gy) const {
    return {gy[0] * exponent * pow(ctx.saved_tensors()[0], exponent - 1)};
  }
};

/// Saves its output.
struct Expo {
  static constexpr std::string_view name = "expo";
  Tensor forward(Context& ctx, const Tensor& x) const {
    Tensor y = exp(x);
    ctx.save_for_backward({y});
    return y;
  }
  Tensors backward(const Context& ctx, const Tensors& gy) const {
    return {gy[0] * ctx.saved_tensors()[0]};
  }
};

/// Two inputs, two outputs, and a look at what is asked for.
struct SumAndProduct {
  static constexpr std::string_view name = "sum_and_product";
  static inline std::vector<bool> needs;
  Tensors forward(Context& ctx, const Tensor& a, const Tensor& b) const {
    ctx.save_for_backward({a, b});
    return {a + b, a * b};
  }
  Tensors backward(const Context& ctx, const Tensors& gy) const {
    const Tensors saved = ctx.saved_tensors();
    needs = {ctx.needs_input_grad(0), ctx.needs_input_grad(1)};
    return {gy[0] + gy[1] * saved[1], gy[0] + gy[1] * saved[0]};
  }
};

struct Same {
  static constexpr std::string_view name = "same";
  Tensor forward(Context&, const Tensor& x) const { return x; }
  Tensors backward(const Context&, const Tensors& gy) const { return {gy[0] * 10}; }
};

struct TooMany {
  static constexpr std::string_view name = "too_many";
  Tensor forward(Context&, const Tensor& x) const { return x * 2; }
  Tensors backward(const Context&, const Tensors& gy) const { return {gy[0], gy[0]}; }
};

TEST(Function, HasAGradientOfItsOwn) {
  const Tensor x = leaf({2, 3});
  const Tensor y = apply(Power{3}, x);
  EXPECT_EQ(values(y), (Values{8, 27}));
  y.sum().backward();
  EXPECT_EQ(values(x.grad()), (Values{12, 27}));
  EXPECT_HAS(error_of([&] { y.sum().backward(); }), "power");
}

TEST(Function, IsDifferentiableTwice) {
  const Tensor x = leaf({0.5, 2});
  for (const bool ok :
       {gradgradcheck([](const Tensors& in) { return apply(Power{3}, in[0]); }, {x}),
        gradgradcheck([](const Tensors& in) { return apply(Expo{}, in[0]); }, {x}),
        gradcheck([](const Tensors& in) { return apply(Expo{}, in[0]); }, {x})}) {
    EXPECT_TRUE(ok);
  }
}

TEST(Function, GetsZerosForUnusedOutputsAndKnowsWhatIsNeeded) {
  const Tensor a = leaf({2}), b = tensor(Values{5}, {.dtype = float64});
  apply(SumAndProduct{}, a, b)[1].backward();
  EXPECT_EQ(values(a.grad()), (Values{5}));
  EXPECT_EQ(SumAndProduct::needs, (std::vector<bool>{true, false}));
}

TEST(Function, RecordsNothingWithoutNeed) {
  const Tensor x = leaf({2});
  EXPECT_FALSE(apply(Power{2}, x.detach()).requires_grad());
  const NoGradGuard guard;
  EXPECT_FALSE(apply(Power{2}, x).requires_grad());
}

TEST(Function, MayReturnItsInput) {
  const Tensor x = leaf({2});
  const Tensor y = apply(Same{}, x);
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(y.is_leaf());
  y.backward();
  EXPECT_EQ(values(x.grad()), (Values{10}));
}

TEST(Function, NoticesAChangedSavedTensor) {
  const Tensor x = leaf({2});
  Tensor h = x * 1;
  const Tensor y = apply(Power{3}, h);
  h.mul_(h.detach().clone());
  EXPECT_HAS(error_of([&] { y.backward(); }), "power: the saved tensor of shape [1] was changed");
}

TEST(Function, MustReturnOneGradientPerInput) {
  const Tensor y = apply(TooMany{}, leaf({2}));
  const Tensor x = leaf({2});
  EXPECT_HAS(error_of([&] { apply(TooMany{}, x).backward(); }), "expected 1 gradients, got 2");
}

}  // namespace
}  // namespace reprise
