// The blocking is Goto's: C is computed in passes over k; a pass packs its slice of B once, for all
// threads, then slices of C are computed in parallel, each packing its part of A into the scratch
// of its thread. Threads cut rows and columns only, so that every sum has one order. Operands that
// are used too few times to pay for packing are read where they lie.

#include "gemm.h"

#include <algorithm>

#include "../../core/parallel.h"
#include "simd/gemm.h"

namespace reprise::cpu {

namespace {

constexpr int64_t kPanelBytes = 36 << 10;                        // of B, to stay in L1
constexpr int64_t kABlockBytes = 384 << 10;                      // of A, to stay in L2
constexpr int64_t kBBlockBytes = 4 << 20;                        // of B, shared by all threads
constexpr int64_t kSmallB = kThreadScratchBytes - kABlockBytes;  // fits beside the A block
constexpr int64_t kSliceWork = 1 << 20;  // multiply-adds worth a thread's attention

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

template <class T>
const GemmKernels<T>& kernels(Isa level) {
  const GemmTable& table = pick(level, sse2::gemm_table, avx2::gemm_table, avx512::gemm_table);
  if constexpr (sizeof(T) == 4) {
    return table.f32;
  } else {
    return table.f64;
  }
}

// Runs the activation on rows [m0, m1) and columns [j0, j1) of C, which are in the cache.
template <class T>
void activate(const Gemm<T>& p, int64_t m0, int64_t m1, int64_t j0, int64_t j1) {
  if (!p.activation) return;
  const bool whole_rows = j1 - j0 == p.c_row;
  const int64_t step = whole_rows ? m1 - m0 : 1;
  for (int64_t i = m0; i < m1; i += step) {
    const int64_t at = i * p.c_row + j0;
    void* operands[] = {(p.activated ? p.activated : p.c) + at, p.c + at,
                        const_cast<T*>(p.other ? p.other + at : nullptr)};
    p.activation(&p, step * (j1 - j0), operands);
  }
}

// How a problem is cut: everything here follows from its size and strides alone.
struct Plan {
  int64_t depth, columns;                     // of one pass
  int64_t rows_per_slice, columns_per_slice;  // of one thread's part of a pass
  bool pack_a, pack_b;
};

// Parts of k that differ little and are at most `most`.
int64_t balanced_part(int64_t k, int64_t most) {
  return k <= most ? std::max<int64_t>(k, 1) : ceil_div(k, ceil_div(k, most));
}

template <class T>
Plan make_plan(const Gemm<T>& p, const GemmKernels<T>& kernel) {
  const int64_t mr = kernel.tile_rows, nr = kernel.tile_columns;
  const bool pack_a = p.n > 3 * nr && p.m > 3, pack_b = p.b_column != 1 || p.m > 4 * mr;
  if (p.m <= 4 * mr && p.n <= 3 * nr && p.k * nr * int64_t{sizeof(T)} <= kPanelBytes) {
    return {std::max<int64_t>(p.k, 1), 3 * nr, p.m, 3 * nr, false, pack_b};  // without a division
  }
  const int64_t depth = balanced_part(p.k, kPanelBytes / (nr * int64_t{sizeof(T)}));
  const int64_t bytes = depth * int64_t{sizeof(T)};
  const int64_t columns = std::min(round_up(p.n, nr), kBBlockBytes / bytes / nr * nr);
  // A product with few rows waits for memory rather than for arithmetic: more threads help sooner.
  const int64_t work = p.m * columns * depth * (p.m < 4 ? 8 : 1);
  if (work < 2 * kSliceWork) return {depth, columns, p.m, columns, pack_a, pack_b};
  const int64_t slices = std::min<int64_t>(work / kSliceWork, 16);
  const int64_t least = std::max(4 * mr, ceil_div(p.m, slices));
  const int64_t most = kABlockBytes / bytes / mr * mr;
  const int64_t rows = std::min(round_up(balanced_part(p.m, least), mr), most);
  const int64_t across = ceil_div(slices, ceil_div(p.m, rows));
  const int64_t wide = std::max(8 * nr, round_up(ceil_div(columns, across), nr));
  return {depth, columns, rows, wide, pack_a, pack_b};
}

// One pass: columns [n0, n1) of C, terms [k0, k0 + depth).
template <class T>
struct Pass {
  const Gemm<T>& p;
  const GemmKernels<T>& kernel;
  const Plan& plan;
  T* b_packed;
  int64_t n0, n1, k0, depth;

  const T* b_at(int64_t column) const { return p.b + k0 * p.b_row + column * p.b_column; }

  // Packs all panels of B, or only a last narrow one when the others are read in place.
  void pack_b() const {
    const int64_t nr = kernel.tile_columns, panels = ceil_div(n1 - n0, nr);
    const auto pack = [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t column = n0 + i * nr;
        kernel.pack_b(b_packed + (plan.pack_b ? i : 0) * nr * depth, b_at(column), p.b_row,
                      p.b_column, std::min(nr, n1 - column), depth);
      }
    };
    if (plan.pack_b)
      return parallel_for(panels, std::max<int64_t>(1, 16384 / (nr * (depth + 1))), pack);
    if ((n1 - n0) % nr != 0) pack(panels - 1, panels);
  }

  void slice(int64_t m0, int64_t m1, int64_t j0, int64_t j1) const {
    const int64_t nr = kernel.tile_columns;
    const T* a = p.a + m0 * p.a_row + k0 * p.a_column;
    if (plan.pack_a) {
      T* packed = reinterpret_cast<T*>(thread_scratch().data());
      kernel.pack_a(packed, a, p.a_row, p.a_column, m1 - m0, depth);
      a = packed;
    }
    const bool first = k0 == 0;
    kernel.block({.rows = m1 - m0,
                  .columns = j1 - j0,
                  .depth = depth,
                  .a = a,
                  .a_packed = plan.pack_a,
                  .a_row = p.a_row,
                  .a_step = p.a_column,
                  .b = plan.pack_b ? b_packed + (j0 - n0) * depth : b_at(j0),
                  .b_panel = plan.pack_b ? nr * depth : nr,
                  .b_step = plan.pack_b ? nr : p.b_row,
                  .b_tail = plan.pack_b ? nullptr : b_packed,
                  .c = p.c + m0 * p.c_row + j0,
                  .c_row = p.c_row,
                  .accumulate = p.accumulate || !first,
                  .row_bias = first && p.row_bias ? p.row_bias + m0 : nullptr,
                  .column_bias = first && p.column_bias ? p.column_bias + j0 : nullptr});
    if (k0 + depth >= p.k) activate(p, m0, m1, j0, j1);
  }

  void run() const {
    pack_b();
    const int64_t down = ceil_div(p.m, plan.rows_per_slice);
    const int64_t across = ceil_div(n1 - n0, plan.columns_per_slice);
    parallel_for(down * across, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t m0 = i % down * plan.rows_per_slice,
                      j0 = n0 + i / down * plan.columns_per_slice;
        slice(m0, std::min(p.m, m0 + plan.rows_per_slice), j0,
              std::min(n1, j0 + plan.columns_per_slice));
      }
    });
  }
};

template <class T>
void gemm_packed(const Gemm<T>& p, const GemmKernels<T>& kernel, void* b_packed) {
  const Plan plan = make_plan(p, kernel);
  for (int64_t n0 = 0; n0 < p.n; n0 += plan.columns) {
    const int64_t n1 = std::min(p.n, n0 + plan.columns);
    for (int64_t k0 = 0; k0 == 0 || k0 < p.k; k0 += plan.depth) {
      const int64_t depth = std::min(plan.depth, p.k - k0);
      Pass<T>{p, kernel, plan, static_cast<T*>(b_packed), n0, n1, k0, depth}.run();
    }
  }
}

// A column that lies contiguously is as well a row.
template <class T>
Gemm<T> transposed(const Gemm<T>& p) {
  return {p.n,           p.m,        p.k,          p.b,     p.b_column, p.b_row,
          p.a,           p.a_column, p.a_row,      p.c,     p.m,        p.accumulate,
          p.column_bias, p.row_bias, p.activation, p.other, p.activated};
}

// Few rows or columns, everything contiguous in k: the small side becomes the rows.
template <class T>
bool try_dots(const Gemm<T>& p, const GemmKernels<T>& kernel) {
  const bool contiguous = (p.a_column == 1 || p.k == 1) && (p.b_row == 1 || p.k == 1);
  if (!contiguous || std::min(p.m, p.n) > 3 || p.k < kernel.width) return false;
  const DotBlock<T> block =
      p.m <= 3 ? DotBlock<T>{p.m, p.n,     p.k, p.a,          p.b,        p.a_row,      p.b_column,
                             p.c, p.c_row, 1,   p.accumulate, p.row_bias, p.column_bias}
               : DotBlock<T>{p.n, p.m, p.k,     p.b,          p.a,           p.b_column, p.a_row,
                             p.c, 1,   p.c_row, p.accumulate, p.column_bias, p.row_bias};
  const int64_t grain = round_up(std::max<int64_t>(1, kSliceWork / 4 / (p.k * block.rows)), 8);
  parallel_for(block.columns, grain, [&](int64_t begin, int64_t end) {
    DotBlock<T> part = block;
    part.columns = end - begin;
    part.b += begin * block.b_column;
    part.c += begin * block.c_column;
    if (part.column_bias) part.column_bias += begin;
    kernel.dots(part);
  });
  return true;
}

template <class T>
bool try_tiny(const Gemm<T>& p, const GemmKernels<T>& kernel) {
  if (p.m > kTinyRows || p.n > kTinyColumns || p.k > kTinyDepth) return false;
  kernel.tiny({.rows = p.m,
               .columns = p.n,
               .depth = p.k,
               .a = p.a,
               .a_packed = false,
               .a_row = p.a_row,
               .a_step = p.a_column,
               .b = p.b,
               .b_panel = p.b_column,
               .b_step = p.b_row,
               .b_tail = nullptr,
               .c = p.c,
               .c_row = p.c_row,
               .accumulate = p.accumulate,
               .row_bias = p.row_bias,
               .column_bias = p.column_bias});
  return true;
}

// Bytes of packed B of one pass.
template <class T>
int64_t packed_b_bytes(int64_t n, int64_t k) {
  constexpr int64_t widest = 128 / sizeof(T);  // columns of the widest tile
  return std::min(round_up(n, widest) * std::max<int64_t>(k, 1) * int64_t{sizeof(T)}, kBBlockBytes);
}

bool fits_scratch(int64_t b_bytes, int64_t work) {
  return b_bytes <= kSmallB && work <= 2 * kSliceWork;
}

}  // namespace

template <class T>
size_t gemm_workspace(int64_t m, int64_t n, int64_t k) {
  const int64_t bytes = packed_b_bytes<T>(n, k);
  return fits_scratch(bytes, m * n * k) ? 0 : static_cast<size_t>(bytes);
}

template <class T>
void gemm(const Gemm<T>& p, void* workspace, Isa level) {
  if (p.m <= 0 || p.n <= 0) return;
  const GemmKernels<T>& kernel = kernels<T>(level);
  if (p.n == 1 && p.m > 1 && p.c_row == 1) return gemm(transposed(p), workspace, level);
  if (try_tiny(p, kernel) || try_dots(p, kernel)) return activate(p, 0, p.m, 0, p.n);
  const bool small = fits_scratch(packed_b_bytes<T>(p.n, p.k), p.m * p.n * p.k);
  gemm_packed(p, kernel, small ? thread_scratch().data() + kABlockBytes : workspace);
}

template <class T>
void gemm_batch(const Gemm<T>& first, const GemmBatch<T>& batch, void* workspace, Isa level) {
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Gemm<T> p = first;
      p.a += i * batch.a_step;
      p.b += i * batch.b_step;
      p.c += i * batch.c_step;
      gemm(p, workspace, level);
    }
  };
  const int64_t work = first.m * first.n * first.k;
  if (!fits_scratch(packed_b_bytes<T>(first.n, first.k), work)) return run(0, batch.count);
  parallel_for(batch.count, std::max<int64_t>(1, kSliceWork / 4 / std::max<int64_t>(1, work)), run);
}

template size_t gemm_workspace<float>(int64_t, int64_t, int64_t);
template size_t gemm_workspace<double>(int64_t, int64_t, int64_t);
template void gemm(const Gemm<float>&, void*, Isa);
template void gemm(const Gemm<double>&, void*, Isa);
template void gemm_batch(const Gemm<float>&, const GemmBatch<float>&, void*, Isa);
template void gemm_batch(const Gemm<double>&, const GemmBatch<double>&, void*, Isa);

}  // namespace reprise::cpu
