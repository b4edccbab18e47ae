#pragma once
// Products of a few numbers, for which making a tile ready would cost more than the arithmetic. The
// rows of B become vectors once, of four lanes where that will do; each row of C is one chain of
// multiply-adds, and the processor overlaps the chains. Every sum has the order that it has in a
// tile.

#include "gemm.h"
#include "transpose.h"

namespace reprise::cpu::REPRISE_ISA {

template <class T>
using Four = Vec<T, 4>;

// Four lanes of which n count: load_n and store_n without masks, which stores forward badly.
template <class T>
REPRISE_INLINE Four<T> load_four(const T* p, int64_t step, int64_t n) {
  if (n == 4) return Four<T>{p[0], p[step], p[2 * step], p[3 * step]};
  return Four<T>{p[0], n > 1 ? p[step] : T(0), n > 2 ? p[2 * step] : T(0), T(0)};
}
template <class T>
REPRISE_INLINE void store_four(T* p, const Four<T>& v, int64_t n) {
  if (n == 4) return store(p, v);
  p[0] = v[0];
  if (n > 1) p[1] = v[1];
  if (n > 2) p[2] = v[2];
}

template <class T, int N>
REPRISE_INLINE Vec<T, N> load_lanes(const T* p, int64_t n) {
  if constexpr (N == kWidth<T>)
    return load_n(p, n);
  else
    return n == 4 ? load<T, 4>(p) : load_four(p, 1, n);
}
template <class T, int N>
REPRISE_INLINE void store_lanes(T* p, const Vec<T, N>& v, int64_t n) {
  if constexpr (N == kWidth<T>)
    store_n(p, v, n);
  else
    store_four(p, v, n);
}
template <class T, int N>
REPRISE_INLINE Vec<T, N> all_lanes(T value) {
  if constexpr (N == kWidth<T>)
    return broadcast(value);
  else
    return Four<T>{value, value, value, value};
}

/// to[k], k < g.depth: columns [j, j + n) of B's row k.
template <class T, int N>
REPRISE_INLINE void load_b(Vec<T, N>* to, const GemmBlock<T>& g, int64_t j, int64_t n) {
  const T* b = g.b + j * g.b_panel;
  if (g.b_panel == 1) {
    for (int64_t k = 0; k < g.depth; ++k) to[k] = load_lanes<T, N>(b + k * g.b_step, n);
  } else if constexpr (N == 4) {
    for (int64_t k = 0; k < g.depth; ++k) to[k] = load_four(b + k * g.b_step, g.b_panel, n);
  } else {
    T packed[kTinyDepth * N];
    pack<T>(packed, N, {b, g.b_panel, g.b_step, n, g.depth});
    for (int64_t k = 0; k < g.depth; ++k) to[k] = load(packed + k * N);
  }
}

/// Columns [j, j + n), n <= N.
template <class T, int N>
REPRISE_INLINE void tiny_columns(const GemmBlock<T>& g, int64_t j, int64_t n) {
  Vec<T, N> b[kTinyDepth];
  load_b<T, N>(b, g, j, n);
  const bool accumulate = g.accumulate;
  const T *row_bias = g.row_bias, *column_bias = g.column_bias ? g.column_bias + j : nullptr;
  const int64_t rows = g.rows, depth = g.depth, a_row = g.a_row, a_step = g.a_step, c_row = g.c_row;
  const Vec<T, N> column = column_bias ? load_lanes<T, N>(column_bias, n) : Vec<T, N>{};
  const T* a = g.a;
  T* c = g.c + j;
  for (int64_t i = 0; i < rows; ++i, a += a_row, c += c_row) {
    Vec<T, N> acc{};
    for (int64_t k = 0; k < depth; ++k) acc = fma(all_lanes<T, N>(a[k * a_step]), b[k], acc);
    if (accumulate) acc = load_lanes<T, N>(c, n) + acc;
    if (row_bias) acc += all_lanes<T, N>(row_bias[i]);
    if (column_bias) acc += column;
    store_lanes<T, N>(c, acc, n);
  }
}

template <class T>
void tiny(const GemmBlock<T>& g) {
  constexpr int W = kWidth<T>;
  if (g.columns <= 4) return tiny_columns<T, 4>(g, 0, g.columns);
  for (int64_t j = 0; j < g.columns; j += W) {
    tiny_columns<T, W>(g, j, g.columns - j < W ? g.columns - j : W);
  }
}

}  // namespace reprise::cpu::REPRISE_ISA
