#pragma once
// Square transposes in registers, and on top of them `pack`, which lays out panels for the tiles: a
// strip of a matrix with its lanes (the rows of A, the columns of B, channels) side by side at
// every step of k.

#include "vec.h"

namespace reprise::cpu::REPRISE_ISA {

template <int... I>
struct Ints {};
template <int N, int... I>
struct MakeInts : MakeInts<N - 1, N - 1, I...> {};
template <int... I>
struct MakeInts<0, I...> {
  using type = Ints<I...>;
};
template <int N>
using IntsBelow = typename MakeInts<N>::type;

/// a[s], b[s], a[s + 1], b[s + 1], ... for N lanes in all.
template <int Start, class V, int... I>
REPRISE_INLINE V interleave(const V& a, const V& b, Ints<I...>) {
  return __builtin_shufflevector(a, b, (Start + I / 2 + I % 2 * int{sizeof...(I)})...);
}

/// Row i, lane j becomes row j, lane i. Each round of perfect shuffles turns one bit of the index
/// around.
template <class T, int N = kWidth<T>>
REPRISE_INLINE void transpose(Vec<T, N> (&rows)[N]) {
  for (int round = 1; round < N; round *= 2) {
    Vec<T, N> next[N];
#pragma GCC unroll 16
    for (int i = 0; i < N / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + N / 2], IntsBelow<N>{});
      next[2 * i + 1] = interleave<N / 2>(rows[i], rows[i + N / 2], IntsBelow<N>{});
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; ++i) rows[i] = next[i];
  }
}

/// A strip of a matrix: element (lane, k) lies at source[lane * lane_stride + k * step].
template <class T>
struct Strip {
  const T* source;
  int64_t lane_stride, step;
  int64_t lanes, depth;
};

// Whole vectors are stored: what spills over one step is overwritten by the next, and the last is
// cut.
template <class T>
REPRISE_INLINE void store_within(T* to, const Vec<T>& v, const T* end) {
  store_n(to, v, end - to);
}

template <class T>
void pack_copying(T* to, int64_t pitch, const Strip<T>& s) {
  const T* end = to + pitch * s.depth;
  for (int64_t k = 0; k < s.depth; ++k) {
    for (int64_t l = 0; l < pitch; l += kWidth<T>) {
      const int64_t rest = s.lanes - l;
      const Vec<T> v = rest > 0 ? load_n(s.source + k * s.step + l, rest) : Vec<T>{};
      store_within(to + k * pitch + l, v, end);
    }
  }
}

// Blocks of lanes go from the last to the first, so that spilled lanes are overwritten here too.
template <class T>
void pack_transposing(T* to, int64_t pitch, const Strip<T>& s) {
  constexpr int64_t W = kWidth<T>;
  const T* end = to + pitch * s.depth;
  for (int64_t l = (pitch - 1) / W * W; l >= 0; l -= W) {
    for (int64_t k = 0; k < s.depth; k += W) {
      Vec<T> rows[W];
#pragma GCC unroll 16
      for (int64_t i = 0; i < W; ++i) {
        const T* source = s.source + (l + i) * s.lane_stride + k;
        rows[i] = l + i < s.lanes ? load_n(source, s.depth - k) : Vec<T>{};
      }
      transpose<T>(rows);
      const int64_t steps = s.depth - k < W ? s.depth - k : W;
#pragma GCC unroll 16
      for (int64_t i = 0; i < W; ++i) {
        if (i < steps) store_within(to + (k + i) * pitch + l, rows[i], end);
      }
    }
  }
}

template <class T>
void pack_singly(T* to, int64_t pitch, const Strip<T>& s) {
  for (int64_t k = 0; k < s.depth; ++k) {
    for (int64_t l = 0; l < pitch; ++l) {
      to[k * pitch + l] = l < s.lanes ? s.source[l * s.lane_stride + k * s.step] : T(0);
    }
  }
}

/// Writes to[k * pitch + lane] for k < depth and lane < pitch, zeros from `lanes` on, and nothing
/// else.
template <class T>
void pack(T* to, int64_t pitch, const Strip<T>& s) {
  if (s.lane_stride == 1) return pack_copying(to, pitch, s);
  if (s.step == 1) return pack_transposing(to, pitch, s);
  pack_singly(to, pitch, s);
}

}  // namespace reprise::cpu::REPRISE_ISA
