// Softmax and LogSoftmax of x seen as [outer, n, inner]; what is not dense is first copied into the
// output. Three ways, best first: a group of threads keeps a whole row in registers and shared
// memory (inner = 1); the threads of a block so keep a few columns; else one pass finds the largest
// value and the sum of exponentials (Milakov and Gimelshein, 2018) and another one scales. NaN
// spreads over its row through the sum.

#include "../../core/ops/softmax.h"

#include <cmath>

#include "../../core/ops/elementwise.h"
#include "power_sums.cuh"
#include "visit.h"
#include "workspaces.h"

namespace reprise {
namespace cuda {
namespace {

/// Of each line of a tensor.
template <class T>
struct LineSums : PowerSums<T> {
  Powers<Acc<T>>* lines;

  __device__ void store(int64_t output, const Powers<Acc<T>>& s) const { lines[output] = s; }
};

/// Packs of y, whose lines are known: a pack lies in one line, or in neighbouring ones.
template <class T, int W>
__global__ void scale_lines(T* y, const T* x, const Powers<Acc<T>>* lines, Offsets<1> line_of,
                            int64_t numel, bool one_line, bool log) {
  using A = Acc<T>;
  for (int64_t i = first_index() * W; i < numel; i += index_step() * W) {
    T v[W];
    load_pack(v, x + i);
    const int64_t first = line_of(i).of[0];
    unrolled<W>([&](int e) {
      const Powers<A> line = lines[first + (one_line ? 0 : e)];
      const A below = static_cast<A>(v[e]) - line.most;
      v[e] = static_cast<T>(Scale<A>(line.sum, log)(log ? below : std::exp(below)));
    });
    store_pack(y + i, v);
  }
}

/// Longer lines may fit into shared memory besides; not every device has enough of it.
template <class T>
bool fits_registers(const Extents& e) {
  if (e.inner == 1) return row_fits_registers<T>(e.n);
  return columns_fit_registers<T>(e);
}

/// Two passes over x, dense in `dense`; the lines' states come first in the workspace.
template <class T>
void reduce_and_scale(const Launch& l, const View& dense, int dim, bool log) {
  using State = Powers<Acc<T>>;
  const Extents e(dense.meta->shape, dim);
  auto* lines = static_cast<State*>(l.workspace);
  const LineSums<T> sums{{{dense.as<T>()}}, lines};
  reduce(l.stream, sums, *dense.meta, {dim}, lines + e.lines());
  constexpr int kWidth = kPack<T>;
  T* y = l.out[0].as<T>();
  const int64_t numel = e.lines() * e.n;
  const bool packs =
      (e.inner == 1 ? e.n : e.inner) % kWidth == 0 && fit_packs(dense.data, l.out[0].data);
  launch(l.stream, blocks_for(numel, packs ? kWidth : 1), kThreads,
         packs ? scale_lines<T, kWidth> : scale_lines<T, 1>, y, dense.as<T>(), lines, lines_of(e),
         numel, e.inner == 1, log);
}

template <class T>
void softmax(const Launch& l, int dim, bool log) {
  const View &x = l.in[0], &y = l.out[0];
  const bool ready = x.meta->is_contiguous();
  if (!ready) Copy{x.meta->dtype}.cuda(l);
  const View dense{ready ? x.data : y.data, y.meta};
  const Extents e(y.meta->shape, dim);
  if (try_softmax_rows(l.stream, e, y.as<T>(), dense.as<T>(), log)) return;
  if (try_softmax_columns(l.stream, e, y.as<T>(), dense.as<T>(), log)) return;
  reduce_and_scale<T>(l, dense, dim, log);
}

void softmax(const Launch& l, std::string_view name, int dim, bool log) {
  if (l.in[0].meta->numel() == 0) return;
  visit_any_floating(name, l.in[0].meta->dtype, [&]<class T>() { softmax<T>(l, dim, log); });
}

}  // namespace

size_t softmax_workspace(const Meta& x, int dim) {
  const Extents e(x.shape, dim);
  if (x.numel() == 0) return 0;
  return visit_any_floating("softmax", x.dtype, [&]<class T>() -> size_t {
    if (fits_registers<T>(e)) return 0;
    const size_t state = sizeof(Powers<Acc<T>>);
    return static_cast<size_t>(e.lines()) * state +
           reduction_workspace(Meta(x.shape, x.dtype), {dim}, state);
  });
}

}  // namespace cuda

void Softmax::cuda(const Launch& l) const { cuda::softmax(l, name, dim, false); }
void LogSoftmax::cuda(const Launch& l) const { cuda::softmax(l, name, dim, true); }

}  // namespace reprise
