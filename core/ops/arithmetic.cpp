// The public elementwise functions: operands of any dtypes and of shapes that broadcast are brought
// together, then the op is called.

#include "../dispatch.h"
#include "../ops.h"
#include "beside.h"
#include "create.h"
#include "elementwise.h"

namespace reprise {

using detail::beside;
using detail::is_number_beside;

namespace {

/// The dtype in which an op computes: bool counts as int64 in arithmetic, integers as float32 where
/// only floats make sense.
template <class T>
DType working_dtype(DType d) {
  if (T::domain == Domain::floating && !is_floating_point(d)) return float32;
  if (T::domain == Domain::numeric && d == bool_) return int64;
  return d;
}

template <class T>
Tensor unary(const Tensor& x) {
  return composite(
      T::name, [](const Tensor& a) { return apply(T{}, a.to(working_dtype<T>(a.dtype()))); }, x);
}

Tensor expand_to(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : expand(x, shape);
}

/// The kernel of a GPU cannot refuse an integer modulo 0, but of a number it is known here.
template <class T>
void check_number(const Tensor& x, const Scalar& s, DType dtype) {
  if constexpr (std::is_same_v<T, Remainder>) {
    if (x.device().kind != Device::Kind::cuda || is_floating_point(dtype) || x.numel() == 0) return;
    const bool is_zero = visit_dtype(dtype, [&]<class V>() { return s.to<V>() == V(0); });
    check(!is_zero, ErrorKind::Value, Remainder::by_zero);
  }
}

/// `y` as the second operand of T beside `x`, computed in `dtype`.
template <class T>
Tensor operand_beside(const Tensor& x, const Tensor& y, DType dtype) {
  if (is_number_beside(x, y) && !y.is_traced()) check_number<T>(x, y.scalar(), dtype);
  return beside(x, y);
}

template <class T>
Tensor binary(const Tensor& x, const Tensor& y) {
  return composite(
      T::name,
      [](const Tensor& a, const Tensor& b) {
        if (a.device() != b.device()) [[unlikely]] {
          const Tensor here = beside(b, a);
          const Tensor there = operand_beside<T>(a, b, working_dtype<T>(result_type(a, b)));
          if (here.device() == there.device()) return binary<T>(here, there);
        }
        const DType dtype = working_dtype<T>(result_type(a, b));
        if (a.shape() == b.shape()) return apply(T{}, a.to(dtype), b.to(dtype));
        const Shape shape = broadcast_shapes(T::name, a.shape(), b.shape());
        return apply(T{}, expand_to(a.to(dtype), shape), expand_to(b.to(dtype), shape));
      },
      x, y);
}

Tensor like(const Tensor& x, const Scalar& s, DType dtype) {
  return apply(Full{{}, s, dtype, x.device()});
}

template <class T>
Tensor binary(const Tensor& x, const Scalar& s) {
  return composite(
      T::name,
      [s](const Tensor& a) {
        const DType dtype = result_type(a, s);
        check_number<T>(a, s, dtype);
        return binary<T>(a, like(a, s, dtype));
      },
      x);
}
template <class T>
Tensor binary(const Scalar& s, const Tensor& x) {
  return composite(
      T::name, [s](const Tensor& a) { return binary<T>(like(a, s, result_type(a, s)), a); }, x);
}

}  // namespace

Tensor neg(const Tensor& x) { return unary<Neg>(x); }
Tensor abs(const Tensor& x) { return unary<Abs>(x); }
Tensor sign(const Tensor& x) { return unary<Sign>(x); }
Tensor relu(const Tensor& x) { return unary<Relu>(x); }
Tensor relu_grad(const Tensor& gy, const Tensor& y) { return apply(ReluGrad{}, gy, y); }
Tensor exp(const Tensor& x) { return unary<Exp>(x); }
Tensor log(const Tensor& x) { return unary<Log>(x); }
Tensor sqrt(const Tensor& x) { return unary<Sqrt>(x); }
Tensor tanh(const Tensor& x) { return unary<Tanh>(x); }
Tensor sigmoid(const Tensor& x) { return unary<Sigmoid>(x); }
Tensor gelu(const Tensor& x, std::string_view approximate) {
  check(approximate == "none" || approximate == "tanh", ErrorKind::Value,
        "gelu: expected approximate to be \"none\" or \"tanh\", got \"", approximate, "\"");
  return approximate == "none" ? unary<Gelu>(x) : unary<GeluTanh>(x);
}

#define REPRISE_BINARY(function, T)                                             \
  Tensor function(const Tensor& a, const Tensor& b) { return binary<T>(a, b); } \
  Tensor function(const Tensor& a, Scalar b) { return binary<T>(a, b); }        \
  Tensor function(Scalar a, const Tensor& b) { return binary<T>(a, b); }
REPRISE_BINARY(add, Add)
REPRISE_BINARY(sub, Sub)
REPRISE_BINARY(mul, Mul)
REPRISE_BINARY(remainder, Remainder)
REPRISE_BINARY(pow, Pow)
REPRISE_BINARY(maximum, Maximum)
REPRISE_BINARY(minimum, Minimum)
REPRISE_BINARY(eq, Eq)
REPRISE_BINARY(ne, Ne)
REPRISE_BINARY(lt, Lt)
REPRISE_BINARY(le, Le)
REPRISE_BINARY(gt, Gt)
REPRISE_BINARY(ge, Ge)
#undef REPRISE_BINARY

Tensor div(const Tensor& a, const Tensor& b) { return binary<Div>(a, b); }
Tensor div(const Tensor& a, Scalar b) { return binary<Div>(a, b); }
Tensor div(Scalar a, const Tensor& b) {  // autocast knows this one as another function
  return composite(
      Div::name,
      [a](const Tensor& x) {
        if (!detail::autocast_on) return binary<Div>(a, x);
        return binary<Div>(a, detail::AutocastCall("reciprocal")(x));
      },
      b);
}

namespace {

/// Of operands on one device.
Tensor where_of(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const DType dtype = result_type(a, b);
  const Shape shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  return apply(Where{}, expand_to(condition, shape), expand_to(a.to(dtype), shape),
               expand_to(b.to(dtype), shape));
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return composite(
      "where",
      [](const Tensor& c, const Tensor& x, const Tensor& y) {
        if (c.device() == x.device() && x.device() == y.device()) return where_of(c, x, y);
        constexpr Device cpu = Device::cpu();
        const Tensor& there = c.device() != cpu ? c : x.device() != cpu ? x : y;
        return where_of(beside(there, c), beside(there, x), beside(there, y));
      },
      condition, a, b);
}

Tensor where(const Tensor& condition, const Tensor& a, Scalar b) {
  return composite(
      "where",
      [b](const Tensor& c, const Tensor& x) { return where(c, x, like(x, b, result_type(x, b))); },
      condition, a);
}

Tensor where(const Tensor& condition, Scalar a, const Tensor& b) {
  return composite(
      "where",
      [a](const Tensor& c, const Tensor& y) { return where(c, like(y, a, result_type(y, a)), y); },
      condition, b);
}

Tensor clamp(const Tensor& x, std::optional<Scalar> min, std::optional<Scalar> max) {
  check(min || max, ErrorKind::Value, "clamp: expected min, max or both, got neither");
  return composite(
      "clamp",
      [min, max](const Tensor& a) {
        Tensor y = a;
        if (min) y = where(y < *min, *min, y);
        if (max) y = where(y > *max, *max, y);
        return y;
      },
      x);
}

Tensor clone(const Tensor& x) {
  return composite(
      "clone", [](const Tensor& a) { return apply(Copy{a.dtype()}, a); }, x);
}

namespace {

/// The result of an in-place op must fit into `x` as it is.
void check_fits(std::string_view op, const Tensor& x, const Tensor& y) {
  check(is_floating_point(x.dtype()) || !is_floating_point(y.dtype()), ErrorKind::DType, op,
        "_: a result of ", y.dtype(), " does not fit into ", x.dtype());
  if (x.shape() == y.shape()) return;
  check(broadcast_shapes(op, x.shape(), y.shape()) == x.shape(), ErrorKind::Shape, op,
        "_: expected an operand that broadcasts to ", x.shape(), ", got ", y.shape());
}

template <class T>
Tensor& in_place(Tensor& x, const Tensor& y) {
  check(!x.is_symbolic(), ErrorKind::Graph, T::name,
        "_: a symbolic tensor cannot be changed in place; use the form without _");
  check_fits(T::name, x, y);
  const Tensor other = expand_to(operand_beside<T>(x, y.to(x.dtype()), x.dtype()), x.shape());
  apply_in_place(T{}, x, other);
  return x;
}

}  // namespace

#define REPRISE_IN_PLACE(function, T)                                                 \
  Tensor& Tensor::function(const Tensor& other) { return in_place<T>(*this, other); } \
  Tensor& Tensor::function(Scalar other) {                                            \
    const DType dtype = result_type(*this, other);                                    \
    check_number<T>(*this, other, dtype);                                             \
    return in_place<T>(*this, like(*this, other, dtype));                             \
  }
REPRISE_IN_PLACE(add_, Add)
REPRISE_IN_PLACE(sub_, Sub)
REPRISE_IN_PLACE(mul_, Mul)
REPRISE_IN_PLACE(div_, Div)
REPRISE_IN_PLACE(remainder_, Remainder)
#undef REPRISE_IN_PLACE

Tensor& Tensor::relu_() {
  apply_in_place(Relu{}, *this);
  return *this;
}

}  // namespace reprise
