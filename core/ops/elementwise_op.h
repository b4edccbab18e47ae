#pragma once
// What all elementwise ops are made of, and the list of them.

#include "../op.h"

namespace reprise {

// The family list: kernels are instantiated from it.
// clang-format off
#define REPRISE_ELEMENTWISE_OPS(X)                                                         \
  X(Neg) X(Abs) X(Sign) X(Relu) X(ReluGrad) X(Exp) X(Log) X(Sqrt) X(Tanh) X(Sigmoid)       \
  X(Gelu) X(GeluGrad) X(GeluTanh) X(GeluTanhGrad) X(Add) X(Sub) X(Mul) X(Div) X(Remainder) \
  X(Pow) X(Maximum) X(Minimum) X(Eq) X(Ne) X(Lt) X(Le) X(Gt) X(Ge) X(Where)
// clang-format on

#define REPRISE_DECLARE(T) struct T;
REPRISE_ELEMENTWISE_OPS(REPRISE_DECLARE)
#undef REPRISE_DECLARE

/// The ops that treat every element alone, as numbers: what kernels are looked up by.
enum class ElementwiseIndex : int8_t {
  none = -1,
#define REPRISE_INDEX(T) T,
  REPRISE_ELEMENTWISE_OPS(REPRISE_INDEX)
#undef REPRISE_INDEX
      Copy
};
template <class T>
inline constexpr auto kElementwiseIndex = ElementwiseIndex::none;
#define REPRISE_INDEX(T) \
  template <>            \
  inline constexpr auto kElementwiseIndex<T> = ElementwiseIndex::T;
REPRISE_ELEMENTWISE_OPS(REPRISE_INDEX)
#undef REPRISE_INDEX

/// Which element types an op takes.
enum class Domain : uint8_t { floating, numeric, all };  // numeric: all but bool

/// Same shape in and out. Supplies infer and the kernels for the whole family.
template <class Self, int Arity>
struct Elementwise {
  static constexpr int arity = Arity;
  static constexpr unsigned overwrites = (1U << Arity) - 1;
  static constexpr ElementwiseIndex elementwise = kElementwiseIndex<Self>;
  static constexpr Domain domain = Domain::numeric;
  static constexpr bool predicate = false;  ///< the result is bool
  static constexpr bool half_on_cpu = true, half_on_cuda = true;
  static constexpr bool follows_format = true;
  static constexpr bool channels_last_on_cpu = true, channels_last_on_cuda = true;

  Metas infer(std::span<const Meta> in) const;
  void cpu(const Launch& l) const;
  void cuda(const Launch& l) const;
  friend bool operator==(const Elementwise&, const Elementwise&) = default;
};

template <class Self>
struct UnaryFloat : Elementwise<Self, 1> {
  static constexpr Domain domain = Domain::floating;
};
template <class Self>
struct Comparison : Elementwise<Self, 2> {
  static constexpr Domain domain = Domain::all;
  static constexpr bool predicate = true;
};

}  // namespace reprise
