#pragma once
// Vectors of every second or third element, by whole loads and shuffles.

#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

template <int... I>
struct Sequence {};
/// Sequence<0, 1, ..., N - 1>
template <int N, int... I>
struct SequenceOf : SequenceOf<N - 1, N - 1, I...> {};
template <int... I>
struct SequenceOf<0, I...> {
  using type = Sequence<I...>;
};

/// Lanes First, First + 2, ... of a and b side by side.
template <int First = 0, class V, int... I>
REPRISE_INLINE V every_second(const V& a, const V& b, Sequence<I...>) {
  return __builtin_shufflevector(a, b, (2 * I + First)...);
}

/// Lanes First, First + 3, ... of a, b and c side by side.
template <int First = 0, class V, int... I>
REPRISE_INLINE V every_third(const V& a, const V& b, const V& c, Sequence<I...>) {
  constexpr int n = kLanes<V>;
  const V ab = __builtin_shufflevector(a, b, (3 * I + First < 2 * n ? 3 * I + First : 0)...);
  return __builtin_shufflevector(ab, c, (3 * I + First < 2 * n ? I : 3 * I + First - n)...);
}

/// Lanes First, First + Step, ... of Step vectors side by side.
template <int Step, int First, class V>
REPRISE_INLINE V every(const V (&v)[Step]) {
  using Lanes = typename SequenceOf<kLanes<V>>::type;
  if constexpr (Step == 2) {
    return every_second<First>(v[0], v[1], Lanes());
  } else {
    return every_third<First>(v[0], v[1], v[2], Lanes());
  }
}

/// p[0], p[step], p[2 step], ...; Step is the step where it is known to be 1, 2 or 3, else 0. Whole
/// vectors are read: step * kWidth<T> elements.
template <int Step, class T>
REPRISE_INLINE Vec<T> load_every(const T* p, int64_t step) {
  constexpr int n = kWidth<T>;
  using Lanes = typename SequenceOf<n>::type;
  if constexpr (Step == 1) {
    return load(p);
  } else if constexpr (Step == 2) {
    return every_second(load(p), load(p + n), Lanes());
  } else if constexpr (Step == 3) {
    return every_third(load(p), load(p + n), load(p + 2 * n), Lanes());
  } else {
    T lanes[n];
    for (int i = 0; i < n; ++i) lanes[i] = p[i * step];
    return load(lanes);
  }
}

}  // namespace reprise::cpu::REPRISE_ISA
