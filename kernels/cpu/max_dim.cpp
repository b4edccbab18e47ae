// MaxDim: the place of the largest (or smallest) element of each line along one dimension; the
// value is then read there. Lines that lie side by side are searched together, a vector of them at
// a time.

#include <algorithm>

#include "../../core/ops/reduce.h"
#include "../../core/parallel.h"
#include "../cuda/workspaces.h"
#include "cursor.h"
#include "simd/isa.h"
#include "simd/reduce.h"

namespace reprise {
namespace cpu {
namespace {

constexpr int64_t kTaskSize = 1 << 15;  // elements worth a task
constexpr int64_t kTileColumns = 64;    // lines searched together
constexpr int64_t kMostRows = 1 << 30;  // that a place in a vector of int32 can name

struct Lines {
  int64_t length = 1, step = 0;          // of a line
  int64_t columns = 1, column_step = 0;  // the innermost kept dimension
  Walk<1> outer;                         // the other kept ones
};

Lines lines_of(const Meta& x, int dim) {
  Lines lines;
  for (size_t d = 0; d < x.shape.size(); ++d) {
    if (static_cast<int>(d) == dim) {
      lines.length = x.shape[d];
      lines.step = x.strides[d];
    } else {
      lines.outer.sizes.push_back(x.shape[d]);
      lines.outer.strides[0].push_back(x.strides[d]);
    }
  }
  if (lines.outer.sizes.empty()) return lines;
  lines.columns = lines.outer.sizes.back();
  lines.column_step = lines.outer.strides[0].back();
  lines.outer.sizes.erase(lines.outer.sizes.dim() - 1);
  lines.outer.strides[0].erase(lines.outer.strides[0].dim() - 1);
  return lines;
}

/// Searches `columns` lines; x is the first element of the first.
template <class T>
void search(const Lines& lines, bool largest, const T* x, int64_t columns, T* value,
            int64_t* index) {
  const ReduceKernels<T>& kernel =
      pick(isa(), sse2::reduce_table, avx2::reduce_table, avx512::reduce_table);
  const auto together = largest ? kernel.argmax_columns : kernel.argmin_columns;
  const auto one = largest ? kernel.argmax : kernel.argmin;
  if (lines.column_step == 1 && columns > 1 && together && lines.length < kMostRows) {
    together(index, x, lines.length, lines.step, columns);
  } else {
    for (int64_t j = 0; j < columns; ++j) {
      index[j] = one(x + j * lines.column_step, lines.length, lines.step);
    }
  }
  for (int64_t j = 0; j < columns; ++j) {
    value[j] = x[j * lines.column_step + index[j] * lines.step];
  }
}

template <class T>
void max_dim(const Lines& lines, bool largest, const T* x, T* value, int64_t* index) {
  const int64_t tiles = (lines.columns + kTileColumns - 1) / kTileColumns;
  const int64_t grain = kTaskSize / (lines.length * std::min(lines.columns, kTileColumns));
  parallel_for(lines.outer.sizes.numel() * tiles, grain, [&](int64_t begin, int64_t end) {
    Cursor<1> outer(lines.outer, begin / tiles);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t tile = i % tiles, first = tile * kTileColumns;
      const int64_t columns = std::min(lines.columns - first, kTileColumns);
      const int64_t out = i / tiles * lines.columns + first;
      search(lines, largest, x + outer[0] + first * lines.column_step, columns, value + out,
             index + out);
      if (tile + 1 == tiles) outer.next();
    }
  });
}

}  // namespace
}  // namespace cpu

size_t MaxDim::workspace(std::span<const Meta> in, Device device) const {
  if (device.kind != Device::Kind::cuda) return 0;
  const Shape dims = in[0].shape.empty() ? Shape{} : Shape{dim};
  return cuda::reduction_workspace(in[0], dims, 2 * sizeof(int64_t));  // a value and its index
}

void MaxDim::cpu(const Launch& l) const {
  const View& x = l.in[0];
  if (x.meta->numel() == 0) return;
  const cpu::Lines lines = cpu::lines_of(*x.meta, dim);
  visit_dtype(x.meta->dtype, [&]<class T>() {
    using In = std::conditional_t<std::is_same_v<T, bool>, uint8_t, T>;
    cpu::max_dim(lines, largest, x.as<In>(), l.out[0].as<In>(), l.out[1].as<int64_t>());
  });
}

}  // namespace reprise
