// Softmax, LogSoftmax and their gradients. What is not dense is first copied into the output, which
// the kernels then transform in place. Seen along the dimension, a dense tensor is [outer, n,
// inner]: rows when inner is 1, else a matrix of columns for each of outer, cut into tiles that fit
// the cache.

#include "../../core/ops/softmax.h"

#include <algorithm>

#include "../../core/ops/elementwise.h"
#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
#include "simd/isa.h"
#include "simd/softmax.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 13;      // elements worth a task
constexpr int64_t kTileElements = 1 << 16;  // of columns, to stay in L2

struct Extents {
  int64_t outer = 1, n = 1, inner = 1;

  Extents(const Shape& shape, int dim) {
    for (int d = 0; d < shape.dim(); ++d) {
      (d < dim ? outer : d == dim ? n : inner) *= shape[static_cast<size_t>(d)];
    }
  }
};

template <class T>
const SoftmaxKernels<T>& kernels() {
  return pick(isa(), sse2::softmax_table, avx2::softmax_table, avx512::softmax_table);
}

/// Calls rows(at, count) for rows from element `at` on, or columns(at, count) for columns, until
/// all are done.
template <class Rows, class Columns>
void each_tile(const Extents& e, Rows rows, Columns columns) {
  if (e.inner == 1) {
    return parallel_for(e.outer, kTaskSize / e.n,
                        [&](int64_t begin, int64_t end) { rows(begin * e.n, end - begin); });
  }
  const int64_t tile = std::clamp<int64_t>(kTileElements / e.n / 64 * 64, 64, kSoftmaxColumns);
  const int64_t tiles = (e.inner + tile - 1) / tile;
  const int64_t grain = kTaskSize / (e.n * std::min(e.inner, tile));
  parallel_for(e.outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % tiles * tile;
      columns(i / tiles * e.n * e.inner + first, std::min(e.inner - first, tile));
    }
  });
}

template <class T>
void softmax(const Launch& l, int dim, bool log) {
  const View& in = l.in[0];
  T* y = l.out[0].as<T>();
  const bool dense = in.meta->is_contiguous();
  if (!dense) Copy{in.meta->dtype}.cpu(l);
  const T* x = dense ? in.as<T>() : y;
  const SoftmaxKernels<T>& kernel = kernels<T>();
  const auto of_rows = log ? kernel.log_softmax_rows : kernel.softmax_rows;
  const auto of_columns = log ? kernel.log_softmax_columns : kernel.softmax_columns;
  const Extents e(in.meta->shape, dim);
  each_tile(
      e, [&](int64_t at, int64_t rows) { of_rows(y + at, x + at, rows, e.n); },
      [&](int64_t at, int64_t columns) { of_columns(y + at, x + at, e.n, e.inner, columns); });
}

void softmax(const Launch& l, std::string_view name, int dim, bool log) {
  if (l.in[0].meta->numel() == 0) return;
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() { softmax<T>(l, dim, log); });
}

template <class T>
void softmax_grad(const Launch& l, int dim, bool log) {
  const T *y = l.in[0].as<T>(), *gy = l.in[1].as<T>();
  T* gx = l.out[0].as<T>();
  const SoftmaxKernels<T>& kernel = kernels<T>();
  const auto of_rows = log ? kernel.log_softmax_grad_rows : kernel.softmax_grad_rows;
  const auto of_columns = log ? kernel.log_softmax_grad_columns : kernel.softmax_grad_columns;
  const Extents e(l.in[0].meta->shape, dim);
  each_tile(
      e, [&](int64_t at, int64_t rows) { of_rows(gx + at, y + at, gy + at, rows, e.n); },
      [&](int64_t at, int64_t columns) {
        of_columns(gx + at, y + at, gy + at, e.n, e.inner, columns);
      });
}

}  // namespace
}  // namespace cpu

size_t Softmax::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::softmax_workspace(in[0], dim) : 0;
}
size_t LogSoftmax::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::softmax_workspace(in[0], dim) : 0;
}

size_t SoftmaxGrad::workspace(std::span<const Meta> in, Device device) const {
  return device.kind == Device::Kind::cuda ? cuda::softmax_grad_workspace(in[0], dim) : 0;
}

void Softmax::cpu(const Launch& l) const { cpu::softmax(l, name, dim, false); }
void LogSoftmax::cpu(const Launch& l) const { cpu::softmax(l, name, dim, true); }

void SoftmaxGrad::cpu(const Launch& l) const {
  if (l.in[0].meta->numel() == 0) return;
  visit_floating(name, l.in[0].meta->dtype, [&]<class T>() { cpu::softmax_grad<T>(l, dim, log); });
}

}  // namespace reprise
