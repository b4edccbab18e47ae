#pragma once
// Elementwise ops. The body `f` is written once, over anything that has the arithmetic: a SIMD
// vector on the CPU, a scalar on CUDA. Functions such as exp are found by argument-dependent
// lookup. The public functions (../ops.h) broadcast and promote first: a kernel sees inputs of one
// shape and one dtype (besides the condition of `where`).

#include "elementwise_op.h"

namespace reprise {

struct Neg : Elementwise<Neg, 1> {
  static constexpr std::string_view name = "neg";
  REPRISE_HD auto f(const auto& x) const { return -x; }
  Tensors vjp(const Vjp& v) const;
};
struct Abs : Elementwise<Abs, 1> {
  static constexpr std::string_view name = "abs";
  static constexpr unsigned save_in = 0b1;
  REPRISE_HD auto f(const auto& x) const { return abs(x); }
  Tensors vjp(const Vjp& v) const;
};
/// -1, 0 or 1 (NaN stays NaN).
struct Sign : Elementwise<Sign, 1> {
  static constexpr std::string_view name = "sign";
  REPRISE_HD auto f(const auto& x) const { return sign(x); }
  Tensors vjp(const Vjp& v) const;
};
struct Relu : Elementwise<Relu, 1> {
  static constexpr std::string_view name = "relu";
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& x) const { return relu(x); }
  Tensors vjp(const Vjp& v) const;
};
/// (gy, y) -> gy where y > 0, else 0.
struct ReluGrad : Elementwise<ReluGrad, 2> {
  static constexpr std::string_view name = "relu_grad";
  static constexpr unsigned save_in = 0b10;
  REPRISE_HD auto f(const auto& gy, const auto& y) const {
    return select(y > zero(y), gy, zero(y));
  }
  Tensors vjp(const Vjp& v) const;
};
struct Exp : UnaryFloat<Exp> {
  static constexpr std::string_view name = "exp";
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& x) const { return exp(x); }
  Tensors vjp(const Vjp& v) const;
};
struct Log : UnaryFloat<Log> {
  static constexpr std::string_view name = "log";
  static constexpr unsigned save_in = 0b1;
  REPRISE_HD auto f(const auto& x) const { return log(x); }
  Tensors vjp(const Vjp& v) const;
};
struct Sqrt : UnaryFloat<Sqrt> {
  static constexpr std::string_view name = "sqrt";
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& x) const { return sqrt(x); }
  Tensors vjp(const Vjp& v) const;
};
struct Tanh : UnaryFloat<Tanh> {
  static constexpr std::string_view name = "tanh";
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& x) const { return tanh(x); }
  Tensors vjp(const Vjp& v) const;
};
struct Sigmoid : UnaryFloat<Sigmoid> {
  static constexpr std::string_view name = "sigmoid";
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& x) const { return sigmoid(x); }
  Tensors vjp(const Vjp& v) const;
};
/// x times the probability that a normal variable is below x. What is taken from ReLU is made of
/// its tail, so nothing cancels; the limits at both infinities are right.
struct Gelu : UnaryFloat<Gelu> {
  static constexpr std::string_view name = "gelu";
  static constexpr unsigned save_in = 0b1;
  REPRISE_HD auto f(const auto& x) const {
    const auto far = constant(x, 40), a = abs(x), t = select(a < far, a, far);
    const auto w = t * scaled_tail(t) * gaussian(t);
    return select(x < zero(x), -w, x - w);
  }
  Tensors vjp(const Vjp& v) const;
};
/// (gy, x) -> gy times Gelu's derivative, P(x) + x p(x) with the normal distribution and its
/// density.
struct GeluGrad : Elementwise<GeluGrad, 2> {
  static constexpr std::string_view name = "gelu_grad";
  static constexpr Domain domain = Domain::floating;
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& gy, const auto& x) const {
    const auto far = constant(x, 40), a = abs(x), t = select(a < far, a, far);
    const auto below = gaussian(t) * (scaled_tail(t) - t * constant(x, 0.39894228040143268));
    const auto slope = select(x < zero(x), below, constant(x, 1) - below);
    return select(x == x, gy * slope, x);
  }
  Tensors vjp(const Vjp& v) const;
};
/// The approximation x sigmoid(2 u) = x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh : UnaryFloat<GeluTanh> {
  static constexpr std::string_view name = "gelu_tanh";
  static constexpr unsigned save_in = 0b1;
  static constexpr double linear = 1.5957691216057307, cubic = 0.07135481627260025;  // of 2 u
  REPRISE_HD auto f(const auto& x) const {
    const auto far = constant(x, -40), c = select(x > far, x, far);
    const auto u = c * (constant(x, linear) + constant(x, cubic) * (c * c));
    return select(x == x, c, x) * sigmoid(u);
  }
  Tensors vjp(const Vjp& v) const;
};
/// (gy, x) -> gy times GeluTanh's derivative.
struct GeluTanhGrad : Elementwise<GeluTanhGrad, 2> {
  static constexpr std::string_view name = "gelu_tanh_grad";
  static constexpr Domain domain = Domain::floating;
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& gy, const auto& x) const {
    const auto far = constant(x, 40), above = select(x > -far, x, -far);
    const auto c = select(above < far, above, far), linear = constant(x, GeluTanh::linear);
    const auto cubic = constant(x, GeluTanh::cubic) * (c * c), u = c * (linear + cubic);
    const auto one = constant(x, 1), z = exp(-abs(u)), part = one / (one + z);
    const auto bend = c * (linear + constant(x, 3) * cubic) * (z * part * part);
    return select(x == x, gy * (select(u < zero(u), z, one) * part + bend), x);
  }
  Tensors vjp(const Vjp& v) const;
};

struct Add : Elementwise<Add, 2> {
  static constexpr std::string_view name = "add";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a + b; }
  Tensors vjp(const Vjp& v) const;
};
struct Sub : Elementwise<Sub, 2> {
  static constexpr std::string_view name = "sub";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a - b; }
  Tensors vjp(const Vjp& v) const;
};
struct Mul : Elementwise<Mul, 2> {
  static constexpr std::string_view name = "mul";
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a * b; }
  Tensors vjp(const Vjp& v) const;
};
struct Div : Elementwise<Div, 2> {
  static constexpr std::string_view name = "div";
  static constexpr Domain domain = Domain::floating;
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a / b; }
  Tensors vjp(const Vjp& v) const;
};
/// a - b * floor(a / b) without the rounding of its parts; it has the sign of b. An integer modulo
/// 0 is a Value error on the CPU, 0 on a GPU. The derivative takes floor(a / b) for constant.
struct Remainder : Elementwise<Remainder, 2> {
  static constexpr std::string_view name = "remainder";
  static constexpr std::string_view by_zero =
      "remainder: expected integer divisors other than 0, got a 0";
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return remainder(a, b); }
  void cpu(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};
/// a to the power b; both floating.
struct Pow : Elementwise<Pow, 2> {
  static constexpr std::string_view name = "pow";
  static constexpr Domain domain = Domain::floating;
  static constexpr unsigned save_in = 0b11;
  static constexpr unsigned save_out = 0b1;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return pow(a, b); }
  Tensors vjp(const Vjp& v) const;
};
/// NaN when either is NaN, as in PyTorch. Where both are equal, each gets half of the gradient.
struct Maximum : Elementwise<Maximum, 2> {
  static constexpr std::string_view name = "maximum";
  static constexpr Domain domain = Domain::all;
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return maximum(a, b); }
  Tensors vjp(const Vjp& v) const;
};
struct Minimum : Elementwise<Minimum, 2> {
  static constexpr std::string_view name = "minimum";
  static constexpr Domain domain = Domain::all;
  static constexpr unsigned save_in = 0b11;
  REPRISE_HD auto f(const auto& a, const auto& b) const { return minimum(a, b); }
  Tensors vjp(const Vjp& v) const;
};

struct Eq : Comparison<Eq> {
  static constexpr std::string_view name = "eq";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a == b; }
};
struct Ne : Comparison<Ne> {
  static constexpr std::string_view name = "ne";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a != b; }
};
struct Lt : Comparison<Lt> {
  static constexpr std::string_view name = "lt";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a < b; }
};
struct Le : Comparison<Le> {
  static constexpr std::string_view name = "le";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a <= b; }
};
struct Gt : Comparison<Gt> {
  static constexpr std::string_view name = "gt";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a > b; }
};
struct Ge : Comparison<Ge> {
  static constexpr std::string_view name = "ge";
  REPRISE_HD auto f(const auto& a, const auto& b) const { return a >= b; }
};

/// (condition bool, a, b) -> a where the condition holds, else b. `f` gets the condition as a mask.
struct Where : Elementwise<Where, 3> {
  static constexpr std::string_view name = "where";
  static constexpr Domain domain = Domain::all;
  static constexpr unsigned save_in = 0b001;
  REPRISE_HD auto f(const auto& mask, const auto& a, const auto& b) const {
    return select(mask, a, b);
  }
  Metas infer(std::span<const Meta> in) const;
  Tensors vjp(const Vjp& v) const;
};

/// The values of a tensor as another dtype, dense. With the same dtype it is a copy.
/// Integers from floats are cut towards zero; bool is "not zero".
struct Copy {
  DType dtype;
  static constexpr std::string_view name = "copy";
  static constexpr unsigned overwrites = 0b1;
  static constexpr ElementwiseIndex elementwise = ElementwiseIndex::Copy;
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;
  auto tie() const { return std::tuple(Attr("dtype", dtype)); }
  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  Tensors vjp(const Vjp& v) const;
};

/// How many operands the op of that index takes.
constexpr int elementwise_arity(ElementwiseIndex index) {
#define REPRISE_ARITY(T) T::arity,
  constexpr int arities[] = {REPRISE_ELEMENTWISE_OPS(REPRISE_ARITY) 1};
#undef REPRISE_ARITY
  return arities[static_cast<size_t>(index)];
}
/// Whether its result is bool.
constexpr bool is_predicate(ElementwiseIndex index) {
#define REPRISE_PREDICATE(T) T::predicate,
  constexpr bool predicates[] = {REPRISE_ELEMENTWISE_OPS(REPRISE_PREDICATE) false};
#undef REPRISE_PREDICATE
  return predicates[static_cast<size_t>(index)];
}

}  // namespace reprise
