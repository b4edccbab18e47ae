#pragma once
// The elementwise family: each op's body (core/ops/elementwise.h) over packs. The ops are spread
// over elementwise_*.cu, so that they compile side by side.

#include "../../core/ops/elementwise.h"
#include "half_number.cuh"
#include "map.cuh"

namespace reprise {
namespace cuda {

template <class Op, class Out>
struct Body {
  template <int V, class... In>
  __device__ Pack<Out, V> operator()(const Pack<In, V>&... x) const {
    Pack<Out, V> y;
    for (int i = 0; i < V; ++i) {
      y.v[i] = static_cast<Out>(stored(Op{}.f(operand(x.v[i])...)));
    }
    return y;
  }
};

/// What an op computes elements of T as: `where` moves bits, bool is a byte.
template <class Op, class T>
struct ComputedAs {
  using type = std::conditional_t<kSame<T, bool>, uint8_t, T>;
};
template <class T>
struct ComputedAs<Where, T> {
  using type = Word<sizeof(T)>;
};

template <class Op, class T>
void run(const Launch& l) {
  using Out = std::conditional_t<Op::predicate, bool, T>;
  const Body<Op, Out> body;
  if constexpr (Op::arity == 1) map<Out, T>(l.stream, body, l.out[0], l.in[0]);
  if constexpr (Op::arity == 2) map<Out, T, T>(l.stream, body, l.out[0], l.in[0], l.in[1]);
  if constexpr (Op::arity == 3) {  // where
    map<Out, bool, T, T>(l.stream, body, l.out[0], l.in[0], l.in[1], l.in[2]);
  }
}

}  // namespace cuda

template <class Self, int Arity>
void Elementwise<Self, Arity>::cuda(const Launch& l) const {
  visit_any_dtype(l.in.back().meta->dtype, [&]<class T>() {
    if constexpr (Self::domain != Domain::floating || cuda::kFloating<T> || is_half_type<T>) {
      cuda::run<Self, typename cuda::ComputedAs<Self, T>::type>(l);
    } else {
      ensure(false, Self::name, ": no kernel for ", dtype_of<T>());
    }
  });
}

#define REPRISE_INSTANTIATE(Op) template void Elementwise<Op, Op::arity>::cuda(const Launch&) const;

}  // namespace reprise
