#include "elementwise.h"

#include "../dispatch.h"
#include "../ops.h"
#include "check_operands.h"

namespace reprise {

// ---- infer
// -----------------------------------------------------------------------------------------

namespace {

/// Operands of one shape and one dtype that the op takes.
template <class Self>
Metas infer_alike(std::span<const Meta> in) {
  const Meta& x = in[0];
  const bool fits = Self::domain == Domain::all || is_floating_point(x.dtype) ||
                    (Self::domain == Domain::numeric && x.dtype != bool_);
  check(fits, ErrorKind::DType, Self::name, ": expected ",
        Self::domain == Domain::floating ? "a floating-point dtype" : "numbers", ", got ", x.dtype);
  for (const Meta& other : in.subspan(1)) {
    check(other.shape == x.shape && other.dtype == x.dtype, ErrorKind::Shape, Self::name,
          ": expected operands alike, got ", x.dtype, x.shape, " and ", other.dtype, other.shape);
  }
  return {Meta(x.shape, Self::predicate ? bool_ : x.dtype)};
}

}  // namespace

template <class Self, int Arity>
Metas Elementwise<Self, Arity>::infer(std::span<const Meta> in) const {
  check_count(Self::name, in, Arity);
  return infer_alike<Self>(in);
}

#define REPRISE_INFER(T) \
  template Metas Elementwise<T, T::arity>::infer(std::span<const Meta>) const;
REPRISE_ELEMENTWISE_OPS(REPRISE_INFER)
#undef REPRISE_INFER

Metas Where::infer(std::span<const Meta> in) const {
  check_count(name, in, 3);
  check(in[0].dtype == bool_, ErrorKind::DType, "where: expected a condition of bool, got ",
        in[0].dtype);
  check(in[0].shape == in[1].shape, ErrorKind::Shape, "where: expected operands alike, got ",
        in[0].shape, " and ", in[1].shape);
  return infer_alike<Where>(in.subspan(1));
}

Metas Copy::infer(std::span<const Meta> in) const {
  check_count(name, in, 1);
  return {checked_meta(name, in[0].shape, dtype)};
}

// ---- vjp
// -------------------------------------------------------------------------------------------

namespace {

/// Evaluates `f` only when its gradient is asked for.
template <class F>
Tensor if_needed(const Vjp& v, size_t i, F&& f) {
  return v.needs[i] ? f() : Tensor();
}

}  // namespace

Tensors Neg::vjp(const Vjp& v) const { return {-v.gy[0]}; }
Tensors Abs::vjp(const Vjp& v) const { return {v.gy[0] * sign(v.in[0])}; }
Tensors Sign::vjp(const Vjp& v) const { return {zeros_like(v.gy[0])}; }
Tensors Relu::vjp(const Vjp& v) const { return {relu_grad(v.gy[0], v.out[0])}; }
Tensors ReluGrad::vjp(const Vjp& v) const {
  return {if_needed(v, 0, [&] { return relu_grad(v.gy[0], v.in[1]); }),
          if_needed(v, 1, [&] { return zeros_like(v.gy[0]); })};
}
Tensors Exp::vjp(const Vjp& v) const { return {v.gy[0] * v.out[0]}; }
Tensors Log::vjp(const Vjp& v) const { return {v.gy[0] / v.in[0]}; }
Tensors Sqrt::vjp(const Vjp& v) const { return {v.gy[0] / (2 * v.out[0])}; }
Tensors Tanh::vjp(const Vjp& v) const {
  const Tensor& y = v.out[0];
  return {v.gy[0] * (1 - y * y)};
}
Tensors Sigmoid::vjp(const Vjp& v) const {
  const Tensor& y = v.out[0];
  return {v.gy[0] * y * (1 - y)};
}
Tensors Gelu::vjp(const Vjp& v) const { return {apply(GeluGrad{}, v.gy[0], v.in[0])}; }
// p'(x) = -x p(x), so the second derivative is (2 - x^2) p(x).
Tensors GeluGrad::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &x = v.in[1];
  return {if_needed(v, 0, [&] { return apply(GeluGrad{}, gy, x); }), if_needed(v, 1, [&] {
            const Tensor c = clamp(x, -40, 40), square = c * c;
            const Tensor density = exp(square * -0.5) * 0.39894228040143268;
            return gy * v.in[0] * density * (2 - square);
          })};
}
Tensors GeluTanh::vjp(const Vjp& v) const { return {apply(GeluTanhGrad{}, v.gy[0], v.in[0])}; }
// x s(u) twice: 2 s' u' + x (s'' u'^2 + s' u'') with s' = s (1 - s) and s'' = s' (1 - 2 s).
Tensors GeluTanhGrad::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &x = v.in[1];
  return {if_needed(v, 0, [&] { return apply(GeluTanhGrad{}, gy, x); }), if_needed(v, 1, [&] {
            const Tensor c = clamp(x, -40, 40), cubic = c * c * GeluTanh::cubic;
            const Tensor s = sigmoid(c * (cubic + GeluTanh::linear));
            const Tensor slope = 3 * cubic + GeluTanh::linear;
            const Tensor bend = c * ((1 - 2 * s) * slope * slope) + 6 * cubic;
            return gy * v.in[0] * s * (1 - s) * (2 * slope + bend);
          })};
}
Tensors Add::vjp(const Vjp& v) const { return {v.gy[0], v.gy[0]}; }
Tensors Sub::vjp(const Vjp& v) const {
  return {v.gy[0], if_needed(v, 1, [&] { return -v.gy[0]; })};
}
Tensors Mul::vjp(const Vjp& v) const {
  return {if_needed(v, 0, [&] { return v.gy[0] * v.in[1]; }),
          if_needed(v, 1, [&] { return v.gy[0] * v.in[0]; })};
}
Tensors Div::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1];
  return {if_needed(v, 0, [&] { return gy / b; }),
          if_needed(v, 1, [&] { return -gy * a / (b * b); })};
}
// d (a mod b) = da - floor(a / b) db
Tensors Remainder::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1];
  return {gy, if_needed(v, 1, [&] {
            const Tensor whole = a - remainder(a, b);
            return -gy * (whole / b).detach();
          })};
}
// d a^b = b a^(b-1) da + ln(a) a^b db; the first is 0 for b = 0, the second for a = 0 and b >= 0.
Tensors Pow::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1], &y = v.out[0];
  return {if_needed(v, 0, [&] { return gy * b * pow(a, where(b == 0, 0, b - 1)); }),
          if_needed(v, 1, [&] {
            const Tensor flat = where(b >= 0, a == 0, zeros_like(a == 0));
            return where(flat, 0, gy * y * log(where(flat, 1, a)));
          })};
}
Tensors Maximum::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1];
  const Tensor shared = where(a == b, gy * 0.5, gy);
  return {if_needed(v, 0, [&] { return where(a < b, 0, shared); }),
          if_needed(v, 1, [&] { return where(b < a, 0, shared); })};
}
Tensors Minimum::vjp(const Vjp& v) const {
  const Tensor &gy = v.gy[0], &a = v.in[0], &b = v.in[1];
  const Tensor shared = where(a == b, gy * 0.5, gy);
  return {if_needed(v, 0, [&] { return where(a > b, 0, shared); }),
          if_needed(v, 1, [&] { return where(b > a, 0, shared); })};
}
Tensors Where::vjp(const Vjp& v) const {
  return {Tensor(), if_needed(v, 1, [&] { return where(v.in[0], v.gy[0], 0); }),
          if_needed(v, 2, [&] { return where(v.in[0], 0, v.gy[0]); })};
}
Tensors Copy::vjp(const Vjp& v) const { return {v.gy[0].to(v.in[0].dtype())}; }

}  // namespace reprise
